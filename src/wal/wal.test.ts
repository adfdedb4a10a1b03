/**
 * The log against a disk that loses, tears and reorders what was not synced. What was acknowledged
 * is there after every crash; what is damaged behind an acknowledgement is refused, never skipped.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DamageError } from "../base/errors.js";
import type { Entry, SnapshotMeta } from "../raft/types.js";
import { MemoryDisk } from "../verify/sim/memory-disk.js";
import { createSeededRng } from "../verify/sim/seeded-rng.js";
import { createWal, openWal, type Wal } from "./wal.js";

const options = { dir: "wal", segmentBytes: 2_048 };
const metadata = { clusterId: 7n, memberId: 0xffff_ffff_ffff_fff1n };
const none = { term: 0, vote: 0n, commit: 0 };
const founding = { metadata, hardState: none, marker: undefined };
const confState = {
  voters: [1n, 2n],
  learners: [3n],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
};

function entry(index: number, term: number, text = `entry ${index} of term ${term}`): Entry {
  return { index, term, type: 0, data: new TextEncoder().encode(text) };
}

function shown({ index, term, data }: Entry): string {
  return `${index}/${term}/${new TextDecoder().decode(data)}`;
}

/** A disk whose syncs complete when the test says so. */
function manualDisk(): { disk: MemoryDisk; settle: () => void; queue: (() => void)[] } {
  const queue: (() => void)[] = [];
  const disk = new MemoryDisk((fn) => queue.push(fn));
  const settle = (): void => {
    for (let fn = queue.shift(); fn !== undefined; fn = queue.shift()) fn();
  };
  return { disk, settle, queue };
}

function append(wal: Wal, entries: readonly Entry[], done: () => void = () => {}): void {
  wal.append({ hardState: undefined, entries, snapshot: undefined, mustSync: true }, done);
}

/** A closed log with these entries, a batch each, in one or more segments. */
function written(count: number): MemoryDisk {
  const { disk, settle } = manualDisk();
  const wal = createWal(disk, founding, options);
  for (let index = 1; index <= count; index++) {
    append(wal, [entry(index, 1)]);
    settle();
  }
  wal.close();
  return disk;
}

function lastSegment(disk: MemoryDisk): string {
  return `wal/${disk.list("wal").at(-1)}`;
}

function contentOf(disk: MemoryDisk, path: string): Uint8Array {
  const file = disk.open(path, "existing");
  return file.read(0, file.size());
}

describe("what was written is read back", () => {
  test("entries, hard state, markers and identity, over several segments", () => {
    const { disk, settle } = manualDisk();
    const wal = createWal(disk, founding, options);
    const hardState = { term: 9, vote: 0x8000_0000_0000_0001n, commit: 2 ** 40 };
    for (let index = 1; index <= 60; index++) {
      const batch = { hardState: { ...hardState, commit: index }, snapshot: undefined };
      wal.append({ ...batch, entries: [entry(index, 3)], mustSync: true }, () => {});
      settle();
    }
    const meta: SnapshotMeta = { index: 20, term: 3, confState };
    wal.saveSnapshot(meta, () => {});
    settle();
    expect(disk.list("wal").length).toBeGreaterThan(2);
    wal.close();
    const { recovered } = openWal(disk, options);
    expect(recovered.metadata).toEqual(metadata);
    expect(recovered.hardState).toEqual({ ...hardState, commit: 60 });
    expect(recovered.snapshot).toEqual(meta);
    expect(recovered.entries).toEqual(Array.from({ length: 40 }, (_, at) => entry(at + 21, 3)));
  });

  test("a new tail replaces the old one", () => {
    const { disk, settle } = manualDisk();
    const wal = createWal(disk, founding, options);
    append(wal, [entry(1, 1), entry(2, 1), entry(3, 1)]);
    append(wal, [entry(2, 2)]);
    settle();
    wal.close();
    expect(openWal(disk, options).recovered.entries).toEqual([entry(1, 1), entry(2, 2)]);
  });

  test("an installed snapshot begins the log anew", () => {
    const { disk, settle } = manualDisk();
    const wal = createWal(disk, founding, options);
    append(wal, [entry(1, 1), entry(2, 1)]);
    const snapshot = { index: 50, term: 4, confState };
    const entries = [entry(51, 4)];
    wal.append({ hardState: undefined, entries, snapshot, mustSync: true }, () => {});
    settle();
    wal.close();
    const { recovered } = openWal(disk, options);
    expect(recovered.snapshot).toEqual(snapshot);
    expect(recovered.entries).toEqual(entries);
  });

  test("purge keeps what is needed and the log goes on", () => {
    const { disk, settle } = manualDisk();
    const wal = createWal(disk, founding, options);
    for (let index = 1; index <= 80; index++) {
      append(wal, [entry(index, 1)]);
      settle();
    }
    const before = disk.list("wal").length;
    wal.saveSnapshot({ index: 70, term: 1, confState }, () => wal.purge(70));
    settle();
    expect(disk.list("wal").length).toBeLessThan(before);
    append(wal, [entry(81, 2)]);
    settle();
    wal.close();
    const { recovered } = openWal(disk, options);
    expect(recovered.entries.map(({ index }) => index)).toEqual(
      Array.from({ length: 11 }, (_, at) => at + 71),
    );
  });
});

describe("group commit", () => {
  test("batches given while a sync runs share the next one, answers keep the order", () => {
    const { disk, queue } = manualDisk();
    const wal = createWal(disk, founding, options);
    const done: number[] = [];
    for (let index = 1; index <= 5; index++) append(wal, [entry(index, 1)], () => done.push(index));
    expect(done).toEqual([]);
    queue.shift()?.();
    expect(done).toEqual([1]);
    queue.shift()?.();
    expect(done).toEqual([1, 2, 3, 4, 5]);
    expect(wal.stats().syncs).toBe(2);
  });
});

test("a batch that needs no sync ends with the one that runs, and its bytes are not lost", () => {
  const { disk, queue } = manualDisk();
  const wal = createWal(disk, founding, options);
  const done: string[] = [];
  append(wal, [entry(1, 1)], () => done.push("synced"));
  const hardState = { term: 1, vote: 0n, commit: 1 };
  const lazy = { hardState, entries: [], snapshot: undefined, mustSync: false };
  wal.append(lazy, () => done.push("lazy"));
  expect(wal.isIdle()).toBe(false);
  queue.shift()?.();
  expect(done).toEqual(["synced", "lazy"]);
  expect(queue).toEqual([]);
  expect(wal.isIdle()).toBe(true);
  append(wal, [entry(2, 1)]);
  queue.shift()?.();
  expect(openWal(disk, options).recovered.hardState).toEqual(hardState);
});

describe("a failing disk", () => {
  test("after a failed sync nothing is acknowledged any more", () => {
    const { disk, settle } = manualDisk();
    const wal = createWal(disk, founding, options);
    const failures: Error[] = [];
    const done: number[] = [];
    wal.onFailure((error) => failures.push(error));
    disk.faults.failNextSync = true;
    append(wal, [entry(1, 1)], () => done.push(1));
    append(wal, [entry(2, 1)], () => done.push(2));
    settle();
    append(wal, [entry(3, 1)], () => done.push(3));
    settle();
    expect(done).toEqual([]);
    expect(failures.map((error) => error.message)).toEqual(["EIO: fdatasync"]);
  });

  test("a full disk stops the log and leaves it readable", () => {
    const { disk, settle } = manualDisk();
    const wal = createWal(disk, founding, options);
    const failures: Error[] = [];
    wal.onFailure((error) => failures.push(error));
    let acknowledged = 0;
    disk.faults.spaceBytes = 3_000;
    for (let index = 1; index <= 100; index++) {
      append(wal, [entry(index, 1)], () => {
        acknowledged = index;
      });
      settle();
    }
    expect(failures).toHaveLength(1);
    expect((failures[0] as NodeJS.ErrnoException).code).toBe("ENOSPC");
    disk.faults.spaceBytes = undefined;
    const { recovered } = openWal(disk, options);
    expect(recovered.entries.length).toBeGreaterThanOrEqual(acknowledged);
    expect(acknowledged).toBeGreaterThan(10);
  });
});

test("whenever the power fails, the log holds all that was acknowledged and nothing invented", () => {
  const plan = fc.record({
    seed: fc.nat(),
    batches: fc.array(
      fc.record({ size: fc.integer({ min: 1, max: 6 }), back: fc.nat(3), wait: fc.boolean() }),
      {
        minLength: 1,
        maxLength: 40,
      },
    ),
    crashes: fc.nat(2),
  });
  fc.assert(
    fc.property(plan, ({ seed, batches, crashes }) => {
      const rng = createSeededRng(seed);
      let { disk, queue } = manualDisk();
      let wal = createWal(disk, founding, options);
      /** The log after each record: a crash keeps one of these, none older than acknowledged. */
      let states: Entry[][] = [[]];
      let acknowledged = 0;
      let term = 1;
      const crash = (): void => {
        const queueNext: (() => void)[] = [];
        disk = disk.crashed(rng, (fn) => queueNext.push(fn));
        queue = queueNext;
        const opened = openWal(disk, options);
        wal = opened.wal;
        const found = JSON.stringify(opened.recovered.entries.map(shown));
        const allowed = states.slice(acknowledged).map((state) => JSON.stringify(state.map(shown)));
        expect(allowed).toContain(found);
        states = [[...opened.recovered.entries]];
        acknowledged = 0;
      };
      for (const { size, back, wait } of batches) {
        term += back > 0 ? 1 : 0;
        let log = states.at(-1) as Entry[];
        const from = Math.max(1, log.length + 1 - back);
        const added = Array.from({ length: size }, (_, at) => entry(from + at, term));
        for (const one of added) {
          log = [...log.slice(0, one.index - 1), one];
          states.push(log);
        }
        const reached = states.length - 1;
        append(wal, added, () => {
          acknowledged = reached;
        });
        if (wait) for (let fn = queue.shift(); fn !== undefined; fn = queue.shift()) fn();
        else if (rng.int(3) === 0) queue.shift()?.();
        if (crashes > 0 && rng.int(15) === 0) crash();
      }
      crash();
    }),
    { numRuns: 300 },
  );
});

describe("damage", () => {
  test("a flipped bit anywhere never hides an acknowledged entry that others follow", () => {
    const count = 12;
    const { length } = contentOf(written(count), lastSegment(written(count)));
    let refused = 0;
    for (let position = 0; position < length; position += 1) {
      const disk = written(count);
      const path = lastSegment(disk);
      disk.flipBit(path, position, position % 8);
      let indexes: number[];
      try {
        indexes = openWal(disk, options).recovered.entries.map(({ index }) => index);
      } catch (error) {
        expect(error).toBeInstanceOf(DamageError);
        expect((error as Error).message).toMatch(/wal\/.*\.wal.*offset \d+.*Restore the file/s);
        refused++;
        continue;
      }
      // Only the last record may be taken for a torn tail: nothing durable lies behind it.
      expect(indexes.length).toBeGreaterThanOrEqual(count - 1);
    }
    expect(refused).toBeGreaterThan(500);
  });

  test("a half-written record at the end is cut, and the log goes on behind it", () => {
    const disk = written(5);
    const path = lastSegment(disk);
    const content = contentOf(disk, path);
    const end = Math.ceil((content.findLastIndex((byte) => byte !== 0) + 1) / 8) * 8;
    const file = disk.open(path, "existing");
    file.write(end, new Uint8Array(61).fill(0xa5));
    file.syncNow();
    const queue: (() => void)[] = [];
    const next = disk.crashed(createSeededRng(1), (fn) => queue.push(fn));
    const { wal, recovered } = openWal(next, options);
    expect(recovered.entries).toHaveLength(5);
    append(wal, [entry(6, 1)]);
    for (let fn = queue.shift(); fn !== undefined; fn = queue.shift()) fn();
    wal.close();
    expect(openWal(next, options).recovered.entries).toHaveLength(6);
  });

  test("a missing segment and a foreign file are refused by name", () => {
    const disk = written(80);
    const [, second] = disk.list("wal");
    disk.remove(`wal/${second}`);
    expect(() => openWal(disk, options)).toThrow(/the segment before it is missing/);
    const foreign = written(1);
    const file = foreign.open(lastSegment(foreign), "existing");
    file.write(0, new TextEncoder().encode("this is somebody else's file"));
    expect(() => openWal(foreign, options)).toThrow(/offset 0: not the start of a log segment/);
  });

  test("a log is not founded over another", () => {
    expect(() => createWal(written(1), founding, options)).toThrow(/holds a log already/);
  });
});
