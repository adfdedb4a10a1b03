/**
 * Users, roles and rights on their way from a real etcd to this store and back: what was forbidden before
 * is forbidden after, whichever way the data took.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { Cluster, type ClusterMember } from "../support/cluster.js";
import { etcdToolPath, isMissing } from "../support/server-kind.js";
import { placeOf, utl } from "./tools.js";

let clusters: Cluster[] = [];
afterEach(async () => {
  await Promise.all(clusters.map((cluster) => cluster.dispose()));
  clusters = [];
});

function kept(cluster: Cluster): Cluster {
  clusters.push(cluster);
  return cluster;
}

function ctl(member: ClusterMember, ...words: readonly string[]): string {
  const tool = etcdToolPath("etcd35", "etcdctl");
  const { stdout, stderr } = spawnSync(tool, ["--endpoints", member.endpoint, ...words], {
    encoding: "utf8",
  });
  return stdout + stderr;
}

const root = ["--user", "root:secret"];
const alice = ["--user", "alice:pw"];

function makeUsers(member: ClusterMember): void {
  ctl(member, "put", "open/1", "seen");
  ctl(member, "put", "closed/1", "hidden");
  ctl(member, "user", "add", "root:secret");
  ctl(member, "user", "grant-role", "root", "root");
  ctl(member, "role", "add", "reader");
  ctl(member, "role", "grant-permission", "reader", "read", "--prefix", "open/");
  ctl(member, "user", "add", "alice:pw");
  ctl(member, "user", "grant-role", "alice", "reader");
  expect(ctl(member, "auth", "enable")).toMatch(/Authentication Enabled/);
}

function expectRights(member: ClusterMember): void {
  expect(ctl(member, ...alice, "get", "open/1")).toBe("open/1\nseen\n");
  expect(ctl(member, ...alice, "get", "closed/1")).toMatch(/permission denied/);
  expect(ctl(member, ...alice, "put", "open/1", "no")).toMatch(/permission denied/);
  expect(ctl(member, "get", "open/1")).toMatch(/user name is empty/);
  expect(ctl(member, "--user", "alice:wrong", "get", "open/1")).toMatch(/authentication failed/);
  expect(ctl(member, ...root, "get", "closed/1")).toBe("closed/1\nhidden\n");
}

test.skipIf(isMissing("etcd35"))(
  "a backup and a log keep users, roles and rights, there and back (skipped without etcd 3.5)",
  async () => {
    const source = kept(await Cluster.start({ kind: "etcd35" }));
    makeUsers(source.first);
    const backup = join(source.folder, "backup.db");
    ctl(source.first, ...root, "snapshot", "save", backup);

    const restored = kept(await Cluster.planned({ kind: "lockstep" }));
    expect(utl("snapshot", "restore", backup, ...placeOf(restored.first)).error).toBe("");
    await restored.first.start();
    expectRights(restored.first);

    const back = kept(await Cluster.planned({ kind: "etcd35" }));
    const ours = join(restored.folder, "ours.db");
    ctl(restored.first, ...root, "snapshot", "save", ours);
    const etcdutl = etcdToolPath("etcd35", "etcdutl");
    const told = spawnSync(etcdutl, ["snapshot", "restore", ours, ...placeOf(back.first)]);
    expect(told.status, String(told.stderr)).toBe(0);
    await back.first.start();
    expectRights(back.first);

    // etcd has not committed the last of these to its backend when it dies.
    ctl(source.first, ...root, "user", "add", "bob:pw");
    ctl(source.first, ...root, "user", "grant-role", "bob", "reader");
    // etcd has these reads in its log, too.
    for (const read of ["user list", "user get bob", "role list", "role get reader"]) {
      expect(ctl(source.first, ...root, ...read.split(" "))).not.toMatch(/Error/);
    }
    await source.first.kill();
    const migrated = kept(await Cluster.planned({ kind: "lockstep" }));
    const from = ["--from", source.first.dataDir];
    expect(utl("migrate", ...from, ...placeOf(migrated.first)).error).toBe("");
    await migrated.first.start();
    expectRights(migrated.first);
    expect(ctl(migrated.first, "--user", "bob:pw", "get", "open/1")).toBe("open/1\nseen\n");
  },
  120_000,
);
