/** The promises of a running log: order, groups, segments, room, and its end on an error. */
import { describe, expect, test } from "vitest";
import type { SnapshotMeta } from "../raft/types.js";
import {
  append,
  appendCommit,
  asFirstVersion,
  confState,
  entries,
  entry,
  foundLog,
  indexesOf,
  metadata,
  options,
  segmentsOf,
} from "./wal.fixture.js";
import { openWal } from "./wal.js";

describe("what was written is read back", () => {
  test("entries, hard state, markers and identity, over several segments", () => {
    const { disk, queue, wal } = foundLog();
    const hardState = { term: 9, vote: 0x8000_0000_0000_0001n, commit: 2 ** 40 };
    for (let index = 1; index <= 60; index++) {
      const batch = { hardState: { ...hardState, commit: index }, snapshot: undefined };
      wal.append({ ...batch, entries: [entry(index, 3)], mustSync: true }, () => {});
      queue.settle();
    }
    const meta: SnapshotMeta = { index: 20, term: 3, confState };
    wal.saveSnapshot(meta, () => {});
    queue.settle();
    expect(segmentsOf(disk).length).toBeGreaterThan(2);
    wal.close();
    const { recovered } = openWal(disk, options);
    expect(recovered.metadata).toEqual(metadata);
    expect(recovered.hardState).toEqual({ ...hardState, commit: 60 });
    expect(recovered.snapshot).toEqual(meta);
    expect(recovered.entries).toEqual(entries(21, 60, 3));
  });

  test("a log of a build without incarnations goes on as it is", () => {
    const { disk, queue, wal: older } = foundLog();
    append(older, entries(1, 5));
    queue.settle();
    older.close();
    asFirstVersion(disk);
    const without = { ...metadata, incarnation: 0n, isJoiner: false };
    const { wal, recovered } = openWal(disk, options);
    expect(recovered.metadata).toEqual(without);
    expect(recovered.entries).toEqual(entries(1, 5));
    const segments = segmentsOf(disk).length;
    // Appends so much that segments of this build follow those of the older one.
    for (let index = 6; index <= 200; index++) {
      append(wal, [entry(index, 1)]);
      queue.settle();
    }
    expect(segmentsOf(disk).length).toBeGreaterThan(segments + 1);
    wal.close();
    const again = openWal(disk, options).recovered;
    expect(again.metadata).toEqual(without);
    expect(again.entries).toEqual(entries(1, 200));
  });

  test("numbers up to the largest safe integer and all kinds of entries", () => {
    const { disk, queue, wal } = foundLog();
    const index = Number.MAX_SAFE_INTEGER - 2;
    const snapshot = { index, term: 2 ** 52, confState: { ...confState, autoLeave: true } };
    const hardState = { term: 2 ** 53 - 1, vote: 2n ** 64n - 1n, commit: index };
    const list = [
      { index: index + 1, term: 2 ** 53 - 1, type: 1 as const, data: new Uint8Array(0) },
      { index: index + 2, term: 2 ** 53 - 1, type: 2 as const, data: Uint8Array.of(0, 255) },
    ];
    wal.append({ hardState, entries: list, snapshot, mustSync: true }, () => {});
    queue.settle();
    expect(openWal(disk, options).recovered).toEqual({
      metadata,
      hardState,
      snapshot,
      entries: list,
      notes: [],
    });
  });

  test("a note is in the file at once, and after a sync that runs; a new tail does not touch it", () => {
    const { disk, queue, wal } = foundLog();
    const texts = (): string[] =>
      openWal(
        disk.orphaned(() => {}),
        options,
      ).recovered.notes.map((note) => new TextDecoder().decode(note));
    const written: string[] = [];
    const note = (text: string): void =>
      wal.note(
        () => new TextEncoder().encode(text),
        () => written.push(text),
      );
    append(wal, entries(1, 3));
    queue.settle();
    note("idle");
    expect(texts()).toEqual(["idle"]);
    append(wal, [entry(2, 2)]);
    note("while a sync runs");
    expect(texts()).toEqual(["idle"]);
    expect(written).toEqual(["idle"]);
    queue.settle();
    expect(written).toEqual(["idle", "while a sync runs"]);
    expect(texts()).toEqual(["idle", "while a sync runs"]);
    append(wal, [entry(3, 2)]);
    queue.settle();
    const { recovered } = openWal(disk, options);
    expect(recovered.notes).toHaveLength(2);
    expect(recovered.entries.map(({ term }) => term)).toEqual([1, 2, 2]);
  });

  test("notes alone fill segments, one is there as soon as it was written", () => {
    const { disk, queue, wal } = foundLog();
    append(wal, [entry(1, 1)]);
    queue.settle();
    for (let count = 1; count <= 40; count++) {
      let isWritten = false;
      const make = (): Uint8Array => new Uint8Array(150).fill(count);
      wal.note(make, () => {
        isWritten = true;
      });
      expect(isWritten).toBe(true);
      const { recovered } = openWal(
        disk.orphaned(() => {}),
        options,
      );
      expect(recovered.notes.map(([first]) => first)).toEqual(
        Array.from({ length: count }, (_, at) => at + 1),
      );
    }
    expect(segmentsOf(disk).length).toBeGreaterThan(2);
  });

  test("a new tail replaces the old one", () => {
    const { disk, queue, wal } = foundLog();
    append(wal, entries(1, 3));
    append(wal, [entry(2, 2)]);
    queue.settle();
    expect(openWal(disk, options).recovered.entries).toEqual([entry(1, 1), entry(2, 2)]);
  });

  test("a marker never falls back behind an installed snapshot that is on its way", () => {
    const { disk, queue, wal } = foundLog();
    append(wal, entries(1, 20));
    queue.settle();
    const snapshot = { index: 50, term: 4, confState };
    wal.append({ hardState: undefined, entries: [], snapshot, mustSync: true }, () => {});
    wal.saveSnapshot({ index: 12, term: 1, confState }, () => {});
    append(wal, entries(51, 52, 4));
    queue.settle();
    const { recovered } = openWal(disk, options);
    expect(recovered.snapshot).toEqual(snapshot);
    expect(recovered.entries).toEqual(entries(51, 52, 4));
  });

  test("an installed snapshot begins the log anew", () => {
    const { disk, queue, wal } = foundLog();
    append(wal, entries(1, 2));
    const snapshot = { index: 50, term: 4, confState };
    const list = [entry(51, 4)];
    wal.append({ hardState: undefined, entries: list, snapshot, mustSync: true }, () => {});
    queue.settle();
    const { recovered } = openWal(disk, options);
    expect(recovered.snapshot).toEqual(snapshot);
    expect(recovered.entries).toEqual(list);
  });

  test("an entry larger than a segment", () => {
    const { disk, queue, wal } = foundLog();
    const large = entry(2, 1, "x".repeat(100_000));
    append(wal, [entry(1, 1)]);
    append(wal, [large]);
    queue.settle();
    append(wal, [entry(3, 1)]);
    queue.settle();
    const { recovered } = openWal(disk, options);
    expect(recovered.entries).toEqual([entry(1, 1), large, entry(3, 1)]);
  });
});

describe("order and groups", () => {
  test("batches given while a sync runs share the next one, answers keep the order", () => {
    const { queue, wal } = foundLog();
    const done: number[] = [];
    for (let index = 1; index <= 5; index++) append(wal, [entry(index, 1)], () => done.push(index));
    expect(done).toEqual([]);
    while (done.length === 0) queue.step();
    expect(done).toEqual([1]);
    queue.settle();
    expect(done).toEqual([1, 2, 3, 4, 5]);
    expect(wal.stats().syncs).toBe(2);
  });

  test("a batch that needs no sync ends with the one that runs, and its bytes are not lost", () => {
    const { disk, queue, wal } = foundLog();
    const done: string[] = [];
    append(wal, [entry(1, 1)], () => done.push("synced"));
    const hardState = { term: 1, vote: 0n, commit: 1 };
    appendCommit(wal, hardState, () => done.push("lazy"));
    expect(wal.isIdle()).toBe(false);
    queue.settle();
    expect(done).toEqual(["synced", "lazy"]);
    expect(wal.stats().syncs).toBe(1);
    expect(wal.isIdle()).toBe(true);
    append(wal, [entry(2, 1)]);
    queue.settle();
    expect(openWal(disk, options).recovered.hardState).toEqual(hardState);
  });

  test("a closed log answers nothing", () => {
    const { queue, wal } = foundLog();
    const done: number[] = [];
    append(wal, [entry(1, 1)], () => done.push(1));
    append(wal, [entry(2, 1)], () => done.push(2));
    wal.close();
    append(wal, [entry(3, 1)], () => done.push(3));
    queue.settle();
    expect(done).toEqual([]);
  });

  test("what is appended inside of done goes out with the next flush", () => {
    const { disk, queue, wal } = foundLog();
    append(wal, [entry(1, 1)], () => append(wal, [entry(2, 1)], () => append(wal, [entry(3, 1)])));
    queue.settle();
    expect(wal.stats().syncs).toBe(3);
    expect(indexesOf(openWal(disk, options).recovered.entries)).toEqual([1, 2, 3]);
  });

  test("a gap, and a change of what is compacted, are bugs of the caller", () => {
    const { queue, wal } = foundLog();
    append(wal, entries(1, 5));
    expect(() => append(wal, [entry(7, 1)])).toThrow("the log would have a gap");
    wal.saveSnapshot({ index: 4, term: 1, confState }, () => {});
    queue.settle();
    expect(() => append(wal, [entry(4, 2)])).toThrow("the log would have a gap");
    expect(() => wal.saveSnapshot({ index: 9, term: 1, confState }, () => {})).toThrow(
      "a snapshot ahead of the log",
    );
  });
});
