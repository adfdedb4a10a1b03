/** What a scrub finds in the rows, what it does not, and what it costs. */
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { Backend } from "../../platform/backend.js";
import { createLmdbBackendStore } from "../../platform/node/lmdb/backend.js";
import { Bucket } from "../../platform/rows.js";
import { DigestSet } from "../../state/digest.js";
import {
  applyCommand,
  bytes,
  type Command,
  putOf,
  reopen,
  txnOf,
} from "../../state/machine.fixture.js";
import { encodeRevision } from "../../state/mvcc/revision-key.js";
import { sealRow } from "../../state/rows.js";
import type { Digests } from "../../state/types.js";
import { createMemoryBackendStore } from "../../verify/sim/platform/memory-backend.js";
import { type BusyClock, Scene, type SceneOptions, shown } from "./scrub.fixture.js";

const folders: string[] = [];
const opened: Backend[] = [];
afterEach(async () => {
  for (const backend of opened.splice(0)) {
    await new Promise<void>((resolve) => backend.close(resolve));
  }
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function inMemory(clock: BusyClock): Backend {
  return createMemoryBackendStore({ defer: (fn) => clock.defer(fn) }).open("db");
}

function onLmdb(): Backend {
  const folder = mkdtempSync(join(tmpdir(), "scrub-"));
  folders.push(folder);
  const backend = createLmdbBackendStore(folder).open("db");
  opened.push(backend);
  return backend;
}

const put = (key: string, value: string): Command => ({
  $case: "put",
  value: putOf(key, value),
});

/** Rows in every bucket. */
function fill(scene: Scene): void {
  const { machine } = scene;
  for (let at = 0; at < 20; at++) applyCommand(machine, put(`k${at % 7}`, `value ${at}`));
  for (const id of [1n, 2n]) {
    applyCommand(machine, { $case: "lease_grant", value: { ID: id, TTL: 60n } });
  }
  const alarm = { action: 1, memberID: 9n, alarm: 2 };
  applyCommand(machine, { $case: "alarm", value: { ...alarm, alarm: 1 } });
  scene.overwrite(Bucket.membersRemoved, bytes("99"), undefined);
}

function sceneOf(more: Partial<SceneOptions> = {}): Scene {
  const scene = new Scene({ backend: inMemory, ...more });
  fill(scene);
  return scene;
}

describe.each([
  ["memory", inMemory],
  ["LMDB", onLmdb],
])("rows on %s", (_name, backend) => {
  test("50,000 rows without damage: nothing is found, within the share and the rate", async () => {
    const hashMs = 0.01;
    const bytesPerSecond = 2 * 1024 * 1024;
    const scene = new Scene({ backend, hashMs, bytesPerSecond });
    for (let entry = 0; entry < 500; entry++) {
      const success = Array.from({ length: 100 }, (_, at) => ({
        request: {
          $case: "request_put" as const,
          value: putOf(`k${entry * 61 + at}`, "v".repeat(60)),
        },
      }));
      applyCommand(scene.machine, { $case: "txn", value: txnOf({ success }) });
    }
    const startMs = scene.clock.nowMs;
    expect(await scene.scrub()).toEqual([]);
    const tookMs = scene.clock.nowMs - startMs;
    const { rows, bytes: read } = scene.scrubber.stats();
    expect(rows).toBeGreaterThanOrEqual(50_000);
    expect(scene.clock.busyMs).toBeGreaterThanOrEqual(50_000 * hashMs);
    expect(scene.clock.busyMs / tookMs).toBeLessThanOrEqual(0.05);
    // Not much slower than it must be either.
    expect(scene.clock.busyMs / tookMs).toBeGreaterThan(0.04);
    expect((read * 1000) / tookMs).toBeLessThanOrEqual(bytesPerSecond);
    expect(scene.scrubber.stats()).toMatchObject({ cycles: 1, progress: 1 });
  });

  test("a flipped byte in each bucket is told with its key", async () => {
    const scene = new Scene({ backend });
    fill(scene);
    expect(await scene.scrub()).toEqual([]);
    const buckets = [Bucket.key, Bucket.lease, Bucket.alarm, Bucket.members, Bucket.cluster];
    for (const bucket of buckets) {
      const [{ key, value }] = scene.rows(bucket).slice(-1) as [
        { key: Uint8Array; value: Uint8Array },
      ];
      for (const at of [0, value.length >> 1, value.length - 1]) {
        const rotten = value.slice();
        rotten[at] = (rotten[at] as number) ^ 16;
        scene.overwrite(bucket, key, rotten);
        const found = await scene.scrub();
        expect(found).toMatchObject([{ kind: "row", bucket }]);
        const keys = found.map((one) => ("key" in one ? Buffer.from(one.key) : undefined));
        expect(keys).toEqual([Buffer.from(key)]);
      }
      scene.overwrite(bucket, key, value);
    }
    expect(await scene.scrub()).toEqual([]);
    expect(scene.scrubber.stats().findings).toEqual({ row: 15, rows: 0, digest: 0, wal: 0 });
    expect(scene.findings).toHaveLength(15);
  });

  test("a lost row, an extra one that is well sealed, and an older value that came back", async () => {
    const scene = new Scene({ backend });
    fill(scene);
    const [lost] = scene.rows(Bucket.key).slice(5) as [{ key: Uint8Array; value: Uint8Array }];
    scene.overwrite(Bucket.key, lost.key, undefined);
    const found = await scene.scrub();
    expect(shown(found)).toEqual(["rows key"]);
    expect(found).toMatchObject([{ isConfirmed: true }]);
    scene.overwrite(Bucket.key, lost.key, lost.value);
    expect(await scene.scrub()).toEqual([]);

    const key = encodeRevision(3, 7, false);
    scene.overwrite(Bucket.key, key, sealRow(Bucket.key, key, bytes("never written")));
    expect(shown(await scene.scrub())).toEqual(["rows key"]);
    scene.overwrite(Bucket.key, key, undefined);

    const [lease] = scene.rows(Bucket.lease) as [{ key: Uint8Array; value: Uint8Array }];
    scene.overwrite(Bucket.lease, lease.key, sealRow(Bucket.lease, lease.key, bytes("old")));
    expect(shown(await scene.scrub())).toEqual(["rows lease"]);
  });

  test("a damaged meta row, none, and one of an older state", async () => {
    const scene = new Scene({ backend });
    fill(scene);
    const [{ key, value }] = scene.rows(Bucket.meta) as [{ key: Uint8Array; value: Uint8Array }];
    const rotten = value.slice();
    rotten[100] = (rotten[100] as number) ^ 1;
    scene.overwrite(Bucket.meta, key, rotten);
    expect(await scene.scrub()).toMatchObject([{ kind: "row", bucket: Bucket.meta, key }]);
    scene.overwrite(Bucket.meta, key, undefined);
    expect(await scene.scrub()).toMatchObject([{ kind: "row", bucket: Bucket.meta, key }]);
    scene.overwrite(Bucket.meta, key, value);
    applyCommand(scene.machine, put("later", ""));
    scene.overwrite(Bucket.meta, key, value);
    expect(await scene.scrub()).toMatchObject([
      { kind: "rows", isConfirmed: true, what: expect.stringContaining("another state") },
    ]);
  });
});

test("a byte that flips in LMDB's file is found without any read of a client", async () => {
  const folder = mkdtempSync(join(tmpdir(), "scrub-"));
  folders.push(folder);
  const backend = createLmdbBackendStore(folder).open("db");
  opened.push(backend);
  const scene = new Scene({ backend: () => backend });
  for (let at = 0; at < 500; at++) applyCommand(scene.machine, put(`k${at}`, `value ${at}.`));
  expect(await scene.scrub()).toEqual([]);
  // LMDB reads through a memory map, so it sees what another descriptor writes.
  const path = join(folder, "db.mdb");
  const content = readFileSync(path);
  const file = openSync(path, "r+");
  // Pages that are not in use any more hold older copies.
  for (let at = content.indexOf("e 321."); at >= 0; at = content.indexOf("e 321.", at + 1)) {
    writeSync(file, "3", at + 4);
  }
  closeSync(file);
  expect(shown(await scene.scrub())).toEqual(["row key"]);
});

test("digests in memory that are not those of the rows are no damage", async () => {
  let isTampered = false;
  const tamper = (digests: Digests): Digests => {
    if (!isTampered) return digests;
    const lease = digests.buckets.get(Bucket.lease)?.slice() as Uint8Array;
    lease[3] = (lease[3] as number) ^ 1;
    return { ...digests, buckets: new Map([...digests.buckets, [Bucket.lease, lease]]) };
  };
  const scene = sceneOf({ memory: tamper });
  expect(await scene.scrub()).toEqual([]);
  isTampered = true;
  expect(shown(await scene.scrub())).toEqual(["digest lease"]);
});

describe("rows that agree with no digest", () => {
  /** Entries that the digests hear of only in part. */
  function withoutSubtraction(scene: Scene): void {
    const subtract = vi.spyOn(DigestSet.prototype, "subtract").mockImplementation(() => {});
    applyCommand(scene.machine, { $case: "lease_revoke", value: { ID: 1n } });
    subtract.mockRestore();
  }

  test("are right if the machine's tables know them, and then the digests are wrong", async () => {
    const scene = sceneOf();
    expect(await scene.scrub()).toEqual([]);
    withoutSubtraction(scene);
    const found = await scene.scrub();
    expect(shown(found)).toEqual(["digest lease"]);
    const [sums] = found.flatMap((finding) => (finding.kind === "digest" ? finding.sums : []));
    expect(sums?.stored).toEqual(sums?.memory);
    expect(sums?.scan).not.toEqual(sums?.stored);
    // Both at once are told apart.
    const [row] = scene.rows(Bucket.key) as [{ key: Uint8Array; value: Uint8Array }];
    scene.overwrite(Bucket.key, row.key, undefined);
    const both = await scene.scrub();
    expect(shown(both)).toEqual(["rows key", "digest lease"]);
    expect(both).toMatchObject([{ isConfirmed: true }, {}]);
  });

  test("are taken for damage, unconfirmed, if the tables may have been read from the same", async () => {
    const buggy = sceneOf();
    withoutSubtraction(buggy);
    expect(await buggy.scrub()).toMatchObject([{ kind: "rows", isConfirmed: false }]);

    const lost = sceneOf();
    expect(await lost.scrub()).toEqual([]);
    const [row] = lost.rows(Bucket.key) as [{ key: Uint8Array; value: Uint8Array }];
    lost.overwrite(Bucket.key, row.key, undefined);
    lost.machine = reopen(lost.backend);
    expect(await lost.scrub()).toMatchObject([{ kind: "rows", isConfirmed: false }]);
  });
});

describe("views", () => {
  /** A scrub that lasts about a minute. */
  function slowScene(): Scene {
    const scene = new Scene({ backend: inMemory, bytesPerSecond: 64 * 1024 });
    const value = "v".repeat(1_000);
    for (let at = 0; at < 4_000; at++) applyCommand(scene.machine, put(`k${at}`, value));
    return scene;
  }

  test("are given back every ten seconds, and writes meanwhile are no damage", async () => {
    const scene = slowScene();
    for (let at = 0; at < 50; at++) {
      scene.clock.after(at * 1_000, () => {
        applyCommand(scene.machine, put(`k${at}`, "new"));
        applyCommand(scene.machine, {
          $case: "lease_grant",
          value: { ID: BigInt(at + 1), TTL: 9n },
        });
      });
    }
    expect(await scene.scrub()).toEqual([]);
    expect(scene.machine.appliedIndex).toBe(4_000 + 1 + 100);
    expect(scene.views).toBeGreaterThan(5);
    expect(scene.scrubber.stats().restarts).toBe(0);
  });

  test("a row that is lost behind the place where the scrub stands is found by the next cycle", async () => {
    const scene = slowScene();
    const [{ key }] = scene.rows(Bucket.key) as [{ key: Uint8Array; value: Uint8Array }];
    scene.clock.after(30_000, () => scene.overwrite(Bucket.key, key, undefined));
    expect(await scene.scrub()).toEqual([]);
    expect(shown(await scene.scrub())).toEqual(["rows key"]);
  });

  test("a compaction begins the pass anew; one that never ends does not keep it from its end", async () => {
    const scene = slowScene();
    for (let at = 0; at < 200; at++) applyCommand(scene.machine, put("same", `${at}`));
    let revision = 4_100;
    const compact = (): void => {
      applyCommand(scene.machine, {
        $case: "compaction",
        value: { revision: BigInt(revision++), physical: false },
      });
      if (scene.scrubber.stats().cycles === 0) scene.clock.after(5_000, compact);
    };
    scene.clock.after(5_000, compact);
    expect(await scene.scrub()).toEqual([]);
    expect(scene.scrubber.stats().restarts).toBe(3);
  });

  test("of a backend that was replaced are left, and the new one is read", async () => {
    const scene = slowScene();
    scene.clock.after(15_000, () => {
      scene.backend.close(() => {});
      scene.backend = inMemory(scene.clock);
      scene.machine = new Scene({ backend: () => scene.backend, clock: scene.clock }).machine;
      applyCommand(scene.machine, put("a", "b"));
    });
    expect(await scene.scrub()).toEqual([]);
    expect(scene.scrubber.stats().restarts).toBe(1);
  });
});

describe("cycles", () => {
  test("begin by themselves, ten minutes after the start and then at the interval", async () => {
    const scene = sceneOf({ intervalMs: 3_600_000 });
    scene.scrubber.start();
    scene.clock.runTo(599_000);
    expect(scene.scrubber.stats().cycles).toBe(0);
    scene.clock.runTo(700_000);
    expect(scene.scrubber.stats().cycles).toBe(1);
    scene.clock.runTo(600_000 + 3 * 3_600_000 + 60_000);
    expect(scene.scrubber.stats().cycles).toBe(4);
    scene.scrubber.stop();
    scene.clock.runTo(40_000_000);
    expect(scene.scrubber.stats().cycles).toBe(4);
  });

  test("an asked one begins after the question; a stop tells who waits", async () => {
    const scene = sceneOf();
    const ends: string[] = [];
    scene.scrubber.scrubNow(() => ends.push("first"));
    scene.scrubber.scrubNow(() => ends.push("second"));
    while (ends.length < 1) scene.clock.step();
    expect(scene.scrubber.stats().cycles).toBe(1);
    while (ends.length < 2) scene.clock.step();
    expect(scene.scrubber.stats().cycles).toBe(2);
    scene.scrubber.scrubNow((end) => ends.push((end as Error).message));
    scene.scrubber.stop();
    scene.scrubber.scrubNow((end) => ends.push((end as Error).message));
    expect(ends.slice(2)).toEqual(["etcdserver: server stopped", "etcdserver: server stopped"]);
    while (scene.clock.step());
    expect(scene.scrubber.stats().cycles).toBe(2);
  });
});
