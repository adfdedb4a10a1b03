/**
 * Three members with mutual TLS between all, and auth on: what etcdctl prints is the same on etcd 3.5
 * and here, as root and as a user with few rights.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { cleanEnv, ServerProcess } from "../../src/cli/stage/server-process.js";
import { freePorts } from "../../src/platform/node/free-ports.js";
import { Authority, type CertificateFiles } from "../support/certificates.js";
import { etcdctlPath, isMissing, type ServerKind, serverCommand } from "../support/server-kind.js";

const folder = mkdtempSync(join(tmpdir(), "lockstep-secure-"));
const authority = new Authority(join(folder, "pki"));
const own = authority.issue("member");
/** No common name of a client is a user here: all log in. */
const client = authority.issue("client");
const servers: ServerProcess[] = [];
afterAll(async () => {
  await Promise.all(servers.map((server) => server.kill()));
  rmSync(folder, { recursive: true, force: true });
});

const root = "--user=root:pw";
const user = "--user=u:upw";
const setup = ["user add root:pw", "user grant-role root root", "auth enable"];
/** "{file}" is a path of the cluster's own. */
const script: readonly string[] = [
  ...["auth status", "role add r", "role grant-permission r readwrite a c", "role get r"],
  ...["role grant-permission r read watched --prefix", "user add u:upw", "user grant-role u r"],
  ...["user get u --detail", "user list", "role list", "put a 1", "put z 26", "get a -w json"],
  ...["get --prefix -w fields a", "get a z --keys-only", "del z --prev-kv", "put b 2 --prev-kv"],
  ...["lease grant 600 -w fields", "lease list -w json", "compaction 3", "compaction 3"],
  ...["get a --rev 2", "member list", "endpoint health --cluster"],
  ...["endpoint hashkv", "alarm list", "alarm disarm", "defrag"],
  ...["snapshot save {file}", "lock gate echo held", "user passwd u --interactive=false"],
  ...["role revoke-permission r a", "get nothing", "member add m9 --peer-urls=nothing"],
].map((words) => `${words} ${root}`);
const asUser: readonly string[] = [
  ...["get a", "get b -w json", "get a z", "get z", "put a 9", "put z 9", "del a", "del a z"],
  ...["user list", "user get u", "user get root", "role get r", "role list"],
  ...["member list", "member remove 1", "alarm disarm", "lease grant 60"],
  ...["lease list -w fields", "snapshot save {file}", "defrag", "endpoint health", "auth disable"],
].map((words) => `${words} ${user}`);
const strangers = [
  "get a",
  "put a 1",
  "get a --user=u:wrong",
  "get a --user=nobody:x",
  "user list",
];
const end = [`user delete u ${root}`, `get a ${user}`, `auth disable ${root}`, "get a"];

/** Here as in etcd 3.6 and later: only root compacts, and everybody may ask whether auth is on. */
const later = [
  [`compaction 4 ${user}`, 1],
  [`auth status ${user}`, 0],
  [`defrag --cluster ${root}`, 0],
] as const;

interface Secure {
  readonly kind: ServerKind;
  readonly ports: readonly number[];
}

async function start(kind: ServerKind): Promise<Secure> {
  const ports = await freePorts("127.0.0.1", 6);
  const url = (at: number): string => `https://127.0.0.1:${ports[at]}`;
  const initialCluster = [0, 1, 2].map((at) => `m${at}=${url(at + 3)}`).join(",");
  const { command, args } = serverCommand(kind);
  const started = [0, 1, 2].map((at) => {
    const flags = {
      ...{ name: `m${at}`, "data-dir": join(folder, `${kind}-${at}`) },
      ...{ "initial-cluster": initialCluster, "bcrypt-cost": "4" },
      ...{ "listen-client-urls": url(at), "advertise-client-urls": url(at) },
      ...{ "listen-peer-urls": url(at + 3), "initial-advertise-peer-urls": url(at + 3) },
      ...{ "cert-file": own.cert, "key-file": own.key, "trusted-ca-file": authority.caFile },
      ...{ "peer-cert-file": own.cert, "peer-key-file": own.key },
      ...{ "peer-trusted-ca-file": authority.caFile, "peer-client-cert-auth": "true" },
      "client-cert-auth": "true",
    };
    const words = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
    const logFile = join(folder, `${kind}-${at}.log`);
    const server = new ServerProcess({ command, args: [...args, ...words], logFile });
    servers.push(server);
    return server;
  });
  await Promise.all(started.map((each) => each.waitForLine(/ready to serve client/, 30_000)));
  return { kind, ports };
}

/** What etcdctl prints, without what two right clusters print differently. */
async function run({ kind, ports }: Secure, words: string): Promise<string> {
  const endpoint = `--endpoints=https://127.0.0.1:${ports[0]}`;
  const { cert, key }: CertificateFiles = client;
  const tls = [`--cacert=${authority.caFile}`, `--cert=${cert}`, `--key=${key}`];
  const file = join(folder, `${kind}.db`);
  const args = [endpoint, ...tls, ...words.replace("{file}", file).split(" ")];
  const child = spawn(etcdctlPath(), args, { env: cleanEnv({ ETCDCTL_API: "3" }) });
  child.stdin.end("upw\n");
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      printed += chunk;
    });
  }
  const code = await new Promise((resolve) => child.once("close", resolve));
  const lines = printed
    .replace(/^\{"level":.*\n/gm, "")
    .replaceAll(file, "FILE")
    // Later etcd gives these refusals their own code and text.
    .replaceAll("rpc error: code = Unknown desc = auth: ", "etcdserver: ")
    .replace(/"?\b(raft_?term)"?( : |:)\d+/gi, "$1 N")
    .replace(/\b[0-9a-f]{14,16}\b|\b\d{15,20}\b/g, "ID")
    .replace(/took =? ?[\d.]+[mµ]?s/g, "took T")
    .replace(/127\.0\.0\.1:\d+/g, (address) => `P${ports.indexOf(Number(address.slice(10)))}`)
    .replace(/gate\/[0-9a-f]+/g, "gate/ID")
    .split("\n");
  return `${words}: exit ${code}\n${lines.sort().join("\n")}`;
}

async function all(cluster: Secure): Promise<readonly string[]> {
  for (const words of setup) await run(cluster, words);
  const printed: string[] = [];
  for (const words of [...script, ...asUser, ...strangers]) {
    printed.push(await run(cluster, words));
  }
  if (cluster.kind === "lockstep") {
    for (const [words, code] of later) {
      expect(await run(cluster, words)).toMatch(`: exit ${code}`);
    }
  }
  for (const words of end) printed.push(await run(cluster, words));
  return printed;
}

describe.skipIf(isMissing("lockstep", "etcd35"))("mutual TLS and auth", () => {
  test("etcdctl prints the same on three members of etcd and here", async () => {
    const both = await Promise.all((["etcd35", "lockstep"] as const).map(start));
    const [theirs, ours] = await Promise.all(both.map(all));
    expect(ours).toEqual(theirs);
    expect(ours?.filter((text) => text.includes("permission denied")).length).toBeGreaterThan(5);
  }, 120_000);
});
