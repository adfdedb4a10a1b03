/**
 * Backups of this store in the hands of etcd's own tools: saved by etcdctl, checked, restored, and
 * served by a real etcd with the same keys, history and leases.
 */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { Cluster } from "../support/cluster.js";
import { etcdToolPath, isMissing, type ServerKind } from "../support/server-kind.js";
import { picture, writeHistory } from "./history.js";

const isLarge = process.env.LOCKSTEP_CAMPAIGNS === "1";
const size = isLarge ? { keys: 100_000, leases: 1_000 } : { keys: 3_000, leases: 30 };
let clusters: Cluster[] = [];
afterEach(async () => {
  await Promise.all(clusters.map((cluster) => cluster.dispose()));
  clusters = [];
});

async function started(kind: ServerKind): Promise<Cluster> {
  const cluster = await Cluster.start({ kind, flags: ["--max-txn-ops=5000"] });
  clusters.push(cluster);
  return cluster;
}

describe.skipIf(isMissing("etcd34", "etcd35"))("a backup of this store", () => {
  test("is restored and served by etcd 3.4 and 3.5", async () => {
    const source = await started("lockstep");
    await writeHistory(source.first.client, size);
    const before = await picture(source.first.client, size.leases);
    const file = join(source.folder, "backup.db");
    const save = ["--endpoints", source.first.endpoint, "snapshot", "save", file];
    execFileSync(etcdToolPath("etcd35", "etcdctl"), save, { stdio: "pipe" });
    const told = execFileSync(etcdToolPath("etcd35", "etcdutl"), [
      "snapshot",
      "status",
      file,
      "-w",
      "json",
    ]);
    expect(JSON.parse(String(told))).toMatchObject({
      revision: Number((before as { revision: bigint }).revision),
    });
    for (const kind of ["etcd34", "etcd35"] as const) {
      const target = await Cluster.planned({ kind, flags: ["--max-txn-ops=5000"] });
      clusters.push(target);
      const { first } = target;
      const tool = kind === "etcd34" ? "etcdctl" : "etcdutl";
      const restore = [
        "snapshot",
        "restore",
        file,
        "--data-dir",
        first.dataDir,
        "--name",
        first.name,
      ];
      const cluster = [
        ...["--initial-cluster", first.plan.initialCluster],
        ...["--initial-advertise-peer-urls", first.peerUrl],
        ...["--initial-cluster-token", first.plan.token],
      ];
      execFileSync(etcdToolPath(kind, tool), [...restore, ...cluster], {
        env: { ...process.env, ETCDCTL_API: "3" },
        stdio: "pipe",
      });
      await first.start();
      expect(await picture(first.client, size.leases)).toEqual(before);
    }
  }, 60_000);
});
