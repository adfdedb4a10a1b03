/**
 * Backups of this store in etcd's own tools: saved by etcdctl, checked, restored, and served by a
 * real etcd with the same keys, history and leases.
 */
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { bytes } from "../support/client.js";
import { Cluster } from "../support/cluster.js";
import { isMissing } from "../support/server-kind.js";
import { historySize, picture, realEtcds, storeFlags, writeHistory } from "./history.js";
import { etcdTool, placeOf, utl } from "./tools.js";

let clusters: Cluster[] = [];
afterEach(async () => {
  await Promise.all(clusters.map((cluster) => cluster.dispose()));
  clusters = [];
});

describe.skipIf(isMissing("etcd34", "etcd35"))("a backup of this store", () => {
  test("is restored and served by a real etcd", async () => {
    const source = await Cluster.start({ kind: "lockstep", flags: storeFlags });
    clusters.push(source);
    const { client } = source.first;
    await writeHistory(client, historySize);
    const before = await picture(client, historySize.leases);
    const file = join(source.folder, "backup.db");
    etcdTool("etcd35", "etcdctl", "--endpoints", source.first.endpoint, "snapshot", "save", file);
    const status = JSON.parse(
      etcdTool("etcd35", "etcdutl", "snapshot", "status", file, "-w", "json"),
    );
    const own = JSON.parse(utl("snapshot", "status", file, "-w", "json").out);
    const { hash, revision, totalSize } = own;
    expect({ hash, revision, totalSize }).toEqual({
      ...{ hash: status.hash, revision: status.revision, totalSize: status.totalSize },
    });
    expect(own).toMatchObject({ version: "3.6.0", totalKey: Number(before.count) });
    const hashed = JSON.parse(utl("hashkv", file, "-w", "json").out);
    expect(hashed).toEqual({
      hash: before.hash,
      hashRevision: Number(before.revision),
      compactRevision: Number(before.compacted),
    });
    for (const kind of realEtcds) {
      const target = await Cluster.planned({ kind, flags: storeFlags });
      clusters.push(target);
      const { first } = target;
      const tool = kind === "etcd34" ? "etcdctl" : "etcdutl";
      etcdTool(kind, tool, "snapshot", "restore", file, ...placeOf(first));
      await first.start();
      expect(await picture(first.client, historySize.leases)).toEqual(before);
      // etcd writes into the pages of the backup, too.
      const pages = { key: bytes("page/"), range_end: bytes("page0") };
      await first.client.deleteRange({ ...pages, key: bytes("page/1") });
      const { header } = await first.client.put({ key: bytes("page/0"), value: bytes("short") });
      await first.client.compact({ revision: header?.revision ?? 1n, physical: true });
      await first.restart();
      await first.client.reconnected();
      const { kvs } = await first.client.range(pages);
      expect(kvs.map(({ key, value }) => `${key} ${value}`)).toEqual(["page/0 short"]);
    }
  }, 120_000);
});
