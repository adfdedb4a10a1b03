/**
 * Three members with mutual TLS among themselves and towards clients, asked by etcdctl, `lockstep ctl`
 * and npm etcd3; a member with a certificate of another name and a stranger on the peer port.
 */
import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Etcd3 } from "etcd3";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { cleanEnv, ServerProcess } from "../../src/cli/stage/server-process.js";
import { freePorts } from "../../src/platform/node/free-ports.js";
import { Authority } from "../support/certificates.js";
import { etcdctlPath, isMissing, projectRoot, serverCommand } from "../support/server-kind.js";

const folder = mkdtempSync(join(tmpdir(), "lockstep-peer-tls-"));
const clients = new Authority(join(folder, "clients"), "clients");
const peers = new Authority(join(folder, "peers"), "peers");
const [server, client] = [clients.issue("server"), clients.issue("client")];
const member = peers.issue("member");
const other = peers.issue("other");
const servers: ServerProcess[] = [];
let endpoints: string[] = [];
let initialCluster = "";
let ports: number[] = [];

/** @param place 0 to 2 */
function start(place: number, shown: { cert: string; key: string }): ServerProcess {
  const url = `https://127.0.0.1:${ports[place]}`;
  const peerUrl = `https://127.0.0.1:${ports[place + 3]}`;
  const { command, args } = serverCommand("lockstep");
  const flags = {
    name: `m${place}`,
    "data-dir": join(folder, `m${place}`),
    "initial-cluster": initialCluster,
    "listen-client-urls": url,
    "advertise-client-urls": url,
    "listen-peer-urls": peerUrl,
    "initial-advertise-peer-urls": peerUrl,
    "cert-file": server.cert,
    "key-file": server.key,
    "trusted-ca-file": clients.caFile,
    "client-cert-auth": "true",
    "peer-cert-file": shown.cert,
    "peer-key-file": shown.key,
    "peer-trusted-ca-file": peers.caFile,
    "peer-client-cert-auth": "true",
    "peer-cert-allowed-cn": "member",
  };
  const words = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
  const logFile = join(folder, `m${place}.log`);
  const started = new ServerProcess({ command, args: [...args, ...words], logFile });
  servers[place] = started;
  return started;
}

beforeAll(async () => {
  ports = await freePorts("127.0.0.1", 6);
  endpoints = ports.slice(0, 3).map((port) => `https://127.0.0.1:${port}`);
  initialCluster = [0, 1, 2].map((at) => `m${at}=https://127.0.0.1:${ports[at + 3]}`).join(",");
  const started = [0, 1, 2].map((place) => start(place, member));
  await Promise.all(started.map((each) => each.waitForLine(/ready to serve client/, 30_000)));
}, 40_000);
afterAll(async () => {
  await Promise.all(servers.map((each) => each.kill()));
  rmSync(folder, { recursive: true, force: true });
});

const files = ["--cacert", clients.caFile, "--cert", client.cert, "--key", client.key];
const variables = {
  ETCDCTL_CACERT: clients.caFile,
  ETCDCTL_CERT: client.cert,
  ETCDCTL_KEY: client.key,
  ETCDCTL_ENDPOINTS: "",
};

function ctl(env: Readonly<Record<string, string>>, ...words: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const args = [join(projectRoot, "bin/lockstep"), "ctl", ...words];
    execFile(process.execPath, args, { env: cleanEnv(env) }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(stderr));
    });
  });
}

test("lockstep ctl by flags and by variables; clear texts when something is missing", async () => {
  const all = endpoints.join(",");
  expect(await ctl({}, ...files, "--endpoints", all, "put", "k", "v")).toBe("OK\n");
  const set = { ...variables, ETCDCTL_ENDPOINTS: endpoints[1]?.replace("https://", "") ?? "" };
  expect(await ctl(set, "get", "k")).toBe("k\nv\n");
  const quick = ["--dial-timeout=1s", "--endpoints", endpoints[0] as string];
  await expect(ctl({}, ...quick, "get", "k")).rejects.toThrow(/--cacert must name the authority/);
  const absent = ["--cacert", "/no/ca.crt"];
  await expect(ctl({}, ...quick, ...absent, "get", "k")).rejects.toThrow(
    /cannot read --cacert "\/no\/ca.crt"/,
  );
  const unverified = ["--insecure-skip-tls-verify", ...files.slice(2)];
  expect(await ctl({}, ...quick, ...unverified, "get", "k")).toBe("k\nv\n");
}, 30_000);

test("npm etcd3 at every member", async () => {
  const credentials = {
    rootCertificate: readFileSync(clients.caFile),
    privateKey: readFileSync(client.key),
    certChain: readFileSync(client.cert),
  };
  for (const host of endpoints) {
    const etcd = new Etcd3({ hosts: host, credentials });
    await etcd.put("from").value(host);
    expect(await etcd.get("from").string()).toBe(host);
    etcd.close();
  }
});

test.skipIf(isMissing("etcd35"))("etcdctl at every member", () => {
  const words = ["--endpoints", endpoints.join(","), ...files, "endpoint", "health"];
  const { status, stderr } = spawnSync(etcdctlPath(), words, { encoding: "utf8" });
  expect({ status, stderr }).toMatchObject({ status: 0 });
});

test("a member whose certificate has another name is not heard, and comes back with the right one", async () => {
  const [last = new ServerProcess({ command: "", args: [], logFile: "" })] = servers.slice(2);
  await last.stop();
  start(2, other);
  await vi.waitFor(
    () => {
      expect(servers[0]?.log()).toMatch(/rejected connection on peer.*common name \\"other\\"/);
      expect(servers[2]?.log()).toMatch(/starting a member/);
    },
    { timeout: 20_000 },
  );
  const words = ["-w", "json", "--endpoints", endpoints[0] as string, ...files];
  expect(await ctl({}, ...words, "endpoint", "status")).toContain('"leader"');
  await servers[2]?.kill();
  await start(2, member).waitForLine(/ready to serve client/, 30_000);
  // What a stranger sees of the peer port.
  const url = `https://127.0.0.1:${ports[3]}/members`;
  const curl = spawnSync("curl", ["-sk", "-m", "5", url], { encoding: "utf8" });
  expect(curl.stdout).toBe("");
  expect(curl.status).not.toBe(0);
}, 60_000);
