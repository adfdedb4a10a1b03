/**
 * Three members with mutual TLS between all, and auth on: what etcdctl prints is the same on etcd 3.5
 * and here, as root and as a user with few rights.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { Authority } from "../support/certificates.js";
import { SecureCluster } from "../support/secure-cluster.js";
import { isMissing, type ServerKind } from "../support/server-kind.js";

const folder = mkdtempSync(join(tmpdir(), "lockstep-secure-"));
const authority = new Authority(join(folder, "pki"));
const kinds = ["etcd35", "lockstep"] as const;
const clusters: SecureCluster[] = [];
afterAll(async () => {
  await Promise.all(clusters.map((cluster) => cluster.kill()));
  rmSync(folder, { recursive: true, force: true });
});

const root = "--user=root:pw";
const user = "--user=u:upw";
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

/** What etcdctl prints, without what two right clusters print differently. */
async function run(cluster: SecureCluster, words: string): Promise<string> {
  const { kind, ports } = cluster;
  const file = join(folder, `${kind}.db`);
  const { code, text } = await cluster.etcdctl(words.replace("{file}", file), "upw\n");
  const lines = text
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

async function start(kind: ServerKind): Promise<SecureCluster> {
  const cluster = await SecureCluster.start({ kind, folder, authority });
  clusters.push(cluster);
  return cluster;
}

async function all(cluster: SecureCluster): Promise<readonly string[]> {
  await cluster.enableAuth();
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
    const both = await Promise.all(kinds.map(start));
    const [theirs, ours] = await Promise.all(both.map(all));
    expect(ours).toEqual(theirs);
    expect(ours?.filter((text) => text.includes("permission denied")).length).toBeGreaterThan(5);
  }, 120_000);
});
