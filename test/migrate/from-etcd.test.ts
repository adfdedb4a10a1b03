/**
 * Backups and data directories of a real etcd, made into members of this store: the same keys, history,
 * leases and hashes, for one member and for three; and what is refused.
 */
import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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

function kept(cluster: Cluster): Cluster {
  clusters.push(cluster);
  return cluster;
}

describe.skipIf(isMissing("etcd34", "etcd35"))("of a real etcd", () => {
  test.each(realEtcds)(
    "%s: a backup becomes three members",
    async (kind) => {
      const source = kept(await Cluster.start({ kind, flags: storeFlags }));
      await writeHistory(source.first.client, historySize);
      const before = await picture(source.first.client, historySize.leases);
      const file = join(source.folder, "backup.db");
      etcdTool(kind, "etcdctl", "--endpoints", source.first.endpoint, "snapshot", "save", file);
      const target = kept(await Cluster.planned({ kind: "lockstep", size: 3, flags: storeFlags }));
      for (const member of target.members) {
        const told = utl("snapshot", "restore", file, ...placeOf(member));
        expect(told.error).toBe("");
        expect(told.out).toMatch(
          /^restored .*: member [0-9a-f]+ of cluster [0-9a-f]+, revision \d+\n$/,
        );
      }
      await Promise.all(target.members.map((member) => member.start()));
      for (const member of target.members) {
        expect(await picture(member.client, historySize.leases)).toEqual(before);
      }
      // The new cluster works: a write, and the end of a lease that came with the backup.
      const { client } = target.first;
      await client.put({ key: bytes("after"), value: bytes("1") });
      await client.leaseRevoke({ ID: 1_000n });
      const gone = await client.range({ key: bytes("leased/1000") });
      expect(gone.count).toBe(0n);
    },
    120_000,
  );

  test.each(realEtcds)(
    "%s: its data directory after a sudden death, log included",
    async (kind) => {
      // etcd commits its backend by itself no more: what comes after the history is in the log alone.
      const flags = [...storeFlags, "--backend-batch-interval=1h", "--backend-batch-limit=1000000"];
      const source = kept(await Cluster.start({ kind, flags }));
      const { first } = source;
      await writeHistory(first.client, { keys: 500, leases: 3 });
      for (let at = 0; at < 200; at++) {
        await first.client.put({ key: bytes(`late/${at}`), value: bytes(`${at}`) });
      }
      await first.client.deleteRange({ key: bytes("late/7") });
      const before = await picture(first.client, 3);
      await first.kill();
      const target = kept(await Cluster.planned({ kind: "lockstep", flags: storeFlags }));
      const told = utl("migrate", "--from", first.dataDir, ...placeOf(target.first));
      expect(told.error).toBe("");
      const requests = /of the log behind it (\d+) requests were applied/.exec(told.out)?.[1];
      expect(Number(requests)).toBeGreaterThan(0);
      await target.first.start();
      expect(await picture(target.first.client, 3)).toEqual(before);
      const late = await target.first.client.range({
        ...{ key: bytes("late/"), range_end: bytes("late0") },
        count_only: true,
      });
      expect(late.count).toBe(199n);
    },
    120_000,
  );

  test("damaged and cut backups, and wrong words, are refused with a clear text", async () => {
    const source = kept(await Cluster.start({ kind: "etcd35", flags: storeFlags }));
    await writeHistory(source.first.client, { keys: 300, leases: 2 });
    const file = join(source.folder, "backup.db");
    etcdTool("etcd35", "etcdctl", "--endpoints", source.first.endpoint, "snapshot", "save", file);
    const sound = readFileSync(file);
    const bad = join(source.folder, "bad.db");
    const into = join(source.folder, "into");
    const restore = (...more: readonly string[]) =>
      utl("snapshot", "restore", bad, "--data-dir", into, ...more);

    const flipped = Buffer.from(sound);
    (flipped[Math.floor(sound.length / 2)] as number) ^= 4;
    writeFileSync(bad, flipped);
    expect(restore().error).toMatch(
      /^Error: expected sha256 [0-9a-f]{64}, got .*take another backup\n$/,
    );
    writeFileSync(bad, sound.subarray(0, sound.length / 2));
    expect(restore().error).toMatch(
      /^Error: the file was cut: it has \d+ bytes and should have \d+\n$/,
    );
    writeFileSync(bad, sound.subarray(0, sound.length - 32));
    expect(restore().error).toMatch(/^Error: snapshot missing hash but --skip-hash-check=false/);
    expect(existsSync(into)).toBe(false);
    expect(restore("--skip-hash-check")).toMatchObject({ code: 0, error: "" });
    expect(restore("--skip-hash-check").error).toBe(
      `Error: data-dir "${into}" not empty or could not be read\n`,
    );
    writeFileSync(bad, "no backup at all");
    expect(restore().error).toMatch(/^Error: this is no bbolt file/);
    rmSync(bad);
    expect(restore().error).toMatch(/^Error: cannot read .*bad.db: ENOENT/);
    copyFileSync(file, bad);
    expect(restore("--bump-revision", "5")).toMatchObject({
      code: 128,
      error: "Error: --mark-compacted required if --bump-revision > 0\n",
    });
    rmSync(into, { recursive: true });
    expect(restore("--name", "x", "--initial-cluster", "y=http://h:1").error).toMatch(
      /couldn't find local name "x"/,
    );
  }, 60_000);

  test("a bumped revision: what clients remember of the old store is compacted", async () => {
    const source = kept(await Cluster.start({ kind: "etcd35", flags: storeFlags }));
    await writeHistory(source.first.client, { keys: 50, leases: 2 });
    const before = await picture(source.first.client, 2);
    const file = join(source.folder, "backup.db");
    etcdTool("etcd35", "etcdctl", "--endpoints", source.first.endpoint, "snapshot", "save", file);
    const target = kept(await Cluster.planned({ kind: "lockstep", flags: storeFlags }));
    const { first } = target;
    const bump = ["--bump-revision", "1000000", "--mark-compacted"];
    expect(utl("snapshot", "restore", file, ...placeOf(first), ...bump).error).toBe("");
    await first.start();
    const after = await picture(first.client, 2);
    const revision = (before.revision ?? 0n) + 1_000_000n;
    expect(after).toEqual({ ...before, revision, compacted: revision, hash: after.hash });
    const old = first.client.range({ key: bytes("changed/1"), revision: before.revision ?? 0n });
    await expect(old).rejects.toThrow(/required revision has been compacted/);
    await first.client.put({ key: bytes("next"), value: bytes("1") });
    expect((await first.client.range({ key: bytes("next") })).kvs[0]?.mod_revision).toBe(
      revision + 1n,
    );
  }, 60_000);
});
