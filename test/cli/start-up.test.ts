/**
 * Starts as operators of etcd make them: with other flags than the first time, with etcd's own sample
 * file, with host names, under a service manager; and mistakes that must be told at once.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { cleanEnv } from "../../src/cli/stage/server-process.js";
import { freePorts } from "../../src/platform/node/free-ports.js";
import { bytes } from "../support/client.js";
import { Cluster, type ClusterMember } from "../support/cluster.js";
import { projectRoot, subject } from "../support/server-kind.js";

const folder = mkdtempSync(join(tmpdir(), "lockstep-start-up-"));
let cluster: Cluster | undefined;
afterEach(async () => {
  await cluster?.dispose();
  cluster = undefined;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const start = async (size = 1): Promise<Cluster> => {
  cluster = await Cluster.start({ kind: subject, size });
  return cluster;
};
const read = async (member: ClusterMember, key: string): Promise<string | undefined> =>
  (await member.client.range({ key: bytes(key) })).kvs[0]?.value.toString();

/** Runs until it ends by itself. */
function run(words: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return spawnSync(process.execPath, [join(projectRoot, "bin/lockstep"), "server", ...words], {
    cwd: folder,
    env: cleanEnv(env),
    encoding: "utf8",
    timeout: 20_000,
  });
}

test("a restart with data does not look at the flags that found a cluster", async () => {
  const { first } = await start();
  await first.client.put({ key: bytes("k"), value: bytes("v") });
  await first.stop();
  await first.start([
    "--name=renamed",
    "--initial-cluster=other=http://127.0.0.1:1",
    "--initial-advertise-peer-urls=http://127.0.0.1:2",
    "--initial-cluster-token=other",
    "--initial-cluster-state=existing",
  ]);
  expect(await read(first, "k")).toBe("v");
});

test("a new cluster with another token starts on URLs of one that still runs", async () => {
  const { members } = await start(2);
  const [gone, stays] = members as [ClusterMember, ClusterMember];
  await gone.stop();
  rmSync(gone.dataDir, { recursive: true });
  const state = "--initial-cluster-state=new";
  if (subject === "lockstep") {
    await expect(gone.start([state])).rejects.toThrow(/already been bootstrapped/);
  }
  gone.spawn([state, "--initial-cluster-token=another"]);
  // It has founded its half, and waits for the other half.
  await vi.waitFor(() => expect(gone.process.log()).toMatch(/starting a member|starting an etcd/), {
    timeout: 15_000,
  });
  expect(gone.isRunning).toBe(true);
  expect(stays.isRunning).toBe(true);
}, 40_000);

test("without a quorum the pages of --listen-metrics-urls answer at once", async () => {
  const { members } = await start(2);
  const [first, second] = members as [ClusterMember, ClusterMember];
  await Promise.all([first.stop(), second.stop()]);
  const [port] = (await freePorts("127.0.0.1", 1)) as [number];
  first.spawn([`--listen-metrics-urls=http://127.0.0.1:${port}`]);
  const page = (path: string) => fetch(`http://127.0.0.1:${port}${path}`);
  // While the member reads its data, /livez alone says 200.
  for (const path of ["/livez", "/health?serializable=true"]) {
    await vi.waitFor(async () => expect((await page(path)).status).toBe(200), { timeout: 15_000 });
  }
  expect(await (await page("/metrics")).text()).toContain("etcd_server_has_leader 0");
  await expect(
    fetch(`http://${first.endpoint}/health`, { signal: AbortSignal.timeout(300) }),
  ).rejects.toThrow();
}, 40_000);

test("one address by name and by number is one, URLs may stand twice, a comma may be left over", async () => {
  cluster = new Cluster({ kind: subject });
  const member = await cluster.plan();
  const named = member.peerUrl.replace("127.0.0.1", "localhost");
  const client = `http://${member.endpoint}`;
  member.plan.initialCluster = `${member.name}=${named},`;
  await member.start([`--listen-client-urls=${client},${client}`]);
  await member.client.put({ key: bytes("k"), value: bytes("v") });
  // A member that joins under the other spelling.
  const other = await cluster.plan();
  await member.client.memberAdd({ peerURLs: [other.peerUrl], isLearner: true });
  const joined = other.peerUrl.replace("127.0.0.1", "localhost");
  other.plan.initialCluster = `${member.name}=${named},${other.name}=${joined}`;
  other.plan.initialState = "existing";
  await other.start([`--initial-advertise-peer-urls=${joined}`]);
  expect((await member.client.memberList({})).members).toHaveLength(2);
}, 40_000);

test("etcd's sample file as it stands", async () => {
  const [client, peer] = (await freePorts("127.0.0.1", 2)) as [number, number];
  const file = join(folder, "sample.yml");
  const urls = { client: `http://localhost:${client}`, peer: `http://localhost:${peer}` };
  writeFileSync(file, sampleFile(urls));
  cluster = new Cluster({ kind: subject });
  const member = await cluster.plan();
  await member.start(["--config-file", file]);
  expect((await fetch(`${urls.client}/health`)).status).toBe(200);
  expect(existsSync(join(cluster.folder, "default.etcd"))).toBe(true);
  expect(existsSync(join(cluster.folder, "null"))).toBe(false);
}, 30_000);

describe("mistakes", () => {
  test("the data of an etcd member is named, and left alone", () => {
    const dataDir = join(folder, "etcd-data");
    mkdirSync(join(dataDir, "member", "snap"), { recursive: true });
    const { status, stderr } = run([`--data-dir=${dataDir}`]);
    expect(status).toBe(1);
    expect(stderr).toContain("is the data of an etcd member");
    expect(readdirSync(dataDir)).toEqual(["member"]);
  });

  test.each([
    [[], { ETCD_SNAPSHOT_COUNT: "many" }, 'invalid value "many" for variable ETCD_SNAPSHOT_COUNT'],
    [["--snapshot-count=many"], {}, 'invalid value "many" for flag -snapshot-count'],
    [["--client-cert-auth"], {}, "no URL of --listen-client-urls begins with https://"],
    [[], { ETCD_CERT_FILE: "/x.crt" }, "--cert-file: no URL of --listen-client-urls begins"],
    [["--unsafe-no-fsync"], {}, "acknowledges nothing that is not on disk"],
  ])("%j %j", (words, env, text) => {
    const { status, stderr } = run(words, env);
    expect(status).toBe(2);
    expect(stderr).toContain(text);
  });

  test("a client's port in use is told before anything is founded", async () => {
    const blocker = createServer();
    await new Promise<void>((resolve) => blocker.listen(0, "127.0.0.1", () => resolve()));
    const { port } = blocker.address() as { port: number };
    const [peer] = (await freePorts("127.0.0.1", 1)) as [number];
    const dataDir = join(folder, "blocked");
    const url = `http://127.0.0.1:${peer}`;
    const { status, stderr } = run([
      `--data-dir=${dataDir}`,
      `--listen-client-urls=http://127.0.0.1:${port}`,
      ...[`--listen-peer-urls=${url}`, `--initial-advertise-peer-urls=${url}`],
      `--initial-cluster=default=${url}`,
    ]);
    blocker.close();
    expect(status).toBe(1);
    expect(stderr).toContain("EADDRINUSE");
    expect(existsSync(dataDir)).toBe(false);
  });
});

const hasNotify = spawnSync("systemd-notify", ["--version"], { stdio: "ignore" }).status === 0;
const python = "/usr/bin/python3";
test.skipIf(!hasNotify || !existsSync(python))(
  "a service manager hears that it is ready",
  async () => {
    const socket = join(folder, "notify.sock");
    const script = `import socket,sys
s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM);s.bind(sys.argv[1]);print("bound",flush=True)
print(s.recv(4096).decode(),flush=True)`;
    const listener = spawn(python, ["-c", script, socket]);
    let heard = "";
    const heardBy = new Promise<void>((resolve) => listener.once("exit", () => resolve()));
    const bound = new Promise<void>((resolve) => listener.stdout.once("data", () => resolve()));
    listener.stdout.on("data", (data) => {
      heard += data;
    });
    await bound;
    cluster = await Cluster.start({ kind: subject, env: { NOTIFY_SOCKET: socket } });
    await heardBy;
    expect(heard).toContain("READY=1");
  },
  30_000,
);

/** The keys, their order and their values of the sample that comes with etcd 3.5. */
function sampleFile(urls: { readonly client: string; readonly peer: string }): string {
  const security =
    "\n  cert-file:\n  key-file:\n  client-cert-auth: false\n  trusted-ca-file:\n  auto-tls: false";
  return [
    "name: 'default'",
    ...["data-dir:", "wal-dir:", "snapshot-count: 10000", "heartbeat-interval: 100"],
    ...["election-timeout: 1000", "quota-backend-bytes: 0"],
    ...[`listen-peer-urls: ${urls.peer}`, `listen-client-urls: ${urls.client}`],
    ...["max-snapshots: 5", "max-wals: 5", "cors:"],
    ...[`initial-advertise-peer-urls: ${urls.peer}`, `advertise-client-urls: ${urls.client}`],
    ...["discovery:", "discovery-fallback: 'proxy'", "discovery-proxy:", "discovery-srv:"],
    ...[
      "initial-cluster:",
      "initial-cluster-token: 'etcd-cluster'",
      "initial-cluster-state: 'new'",
    ],
    ...["strict-reconfig-check: false", "enable-pprof: true", "proxy: 'off'"],
    ...["proxy-failure-wait: 5000", "proxy-refresh-interval: 30000", "proxy-dial-timeout: 1000"],
    ...["proxy-write-timeout: 5000", "proxy-read-timeout: 0"],
    ...[`client-transport-security:${security}`, `peer-transport-security:${security}`],
    ...["self-signed-cert-validity: 1", "log-level: debug", "logger: zap", "log-outputs: [stderr]"],
    ...["force-new-cluster: false", "auto-compaction-mode: periodic"],
    'auto-compaction-retention: "1"',
    "cipher-suites: [\n  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,\n  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384\n]",
    ...["tls-min-version: 'TLS1.2'", "tls-max-version: 'TLS1.3'", ""],
  ].join("\n");
}
