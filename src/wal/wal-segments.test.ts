/** Segments of the log: made ahead, filled, purged; and what a failing disk does to them. */
import { describe, expect, test } from "vitest";
import { Dice } from "../verify/sim/plan/dice.js";
import {
  append,
  confState,
  entries,
  entry,
  founding,
  foundLog,
  indexesOf,
  lastSegment,
  options,
  segmentsOf,
  writtenLog,
} from "./wal.fixture.js";
import { createWal, openWal } from "./wal.js";

describe("segments", () => {
  test("purge keeps what is needed and the log goes on", () => {
    const { disk, queue, wal } = foundLog();
    for (const one of entries(1, 80)) {
      append(wal, [one]);
      queue.settle();
    }
    const before = segmentsOf(disk).length;
    wal.saveSnapshot({ index: 70, term: 1, confState }, () => wal.purge(70));
    queue.settle();
    expect(segmentsOf(disk).length).toBeLessThan(before);
    append(wal, [entry(81, 2)]);
    queue.settle();
    const { recovered } = openWal(disk, options);
    expect(indexesOf(recovered.entries)).toEqual(indexesOf(entries(71, 81)));
  });

  test("purge of everything leaves the segment in use", () => {
    const { disk, queue, wal } = foundLog();
    for (const one of entries(1, 80)) {
      append(wal, [one]);
      queue.settle();
    }
    const last = lastSegment(disk);
    wal.saveSnapshot({ index: 80, term: 1, confState }, () => wal.purge(80));
    queue.settle();
    expect(segmentsOf(disk)).toEqual([last]);
    expect(openWal(disk, options).recovered.entries).toEqual([]);
  });

  test("the next segment is prepared ahead, under another name, and used", () => {
    const { disk, queue, wal } = foundLog();
    append(wal, [entry(1, 1)]);
    queue.settle();
    expect(disk.list("wal")).toEqual(["0000000000000000-0000000000000001.wal", "next.tmp"]);
    const draft = disk.open("wal/next.tmp", "existing");
    expect(draft.size()).toBe(options.segmentBytes);
    append(wal, [entry(2, 1, "x".repeat(1_990))]);
    expect(segmentsOf(disk).at(-1)).toBe("wal/0000000000000001-0000000000000002.wal");
    expect(draft.read(0, 8)).not.toEqual(new Uint8Array(8));
    queue.settle();
    expect(indexesOf(openWal(disk, options).recovered.entries)).toEqual([1, 2]);
  });

  test("a draft that is not known to be durable yet is not used", () => {
    const { disk, queue, wal } = foundLog();
    let isDone = false;
    append(wal, [entry(1, 1)], () => {
      isDone = true;
    });
    while (!isDone) queue.step();
    const draft = disk.open("wal/next.tmp", "existing");
    append(wal, [entry(2, 1, "x".repeat(1_990))]);
    expect(segmentsOf(disk)).toHaveLength(2);
    expect(draft.read(0, 8)).toEqual(new Uint8Array(8));
  });

  test("a draft that a crash left gives its space back", () => {
    const { disk, queue, wal } = foundLog();
    append(wal, [entry(1, 1)]);
    queue.settle();
    wal.close();
    expect(disk.list("wal")).toContain("next.tmp");
    openWal(disk, options);
    expect(disk.list("wal")).not.toContain("next.tmp");
  });

  test("a log is not founded over another", () => {
    expect(() => createWal(writtenLog(1), founding, options)).toThrow(/holds a log already/);
  });
});

describe("a failing disk", () => {
  test("after a failed sync nothing is acknowledged any more", () => {
    const { disk, queue, wal } = foundLog();
    const failures: Error[] = [];
    const done: number[] = [];
    wal.onFailure((error) => failures.push(error));
    disk.faults.failNextSync = true;
    append(wal, [entry(1, 1)], () => done.push(1));
    append(wal, [entry(2, 1)], () => done.push(2));
    queue.settle();
    append(wal, [entry(3, 1)], () => done.push(3));
    wal.saveSnapshot({ index: 1, term: 1, confState }, () => done.push(4));
    queue.settle();
    expect(done).toEqual([]);
    expect(wal.isIdle()).toBe(false);
    expect(failures.map((error) => error.message)).toEqual(["EIO: fdatasync"]);
  });

  test("what only the page cache held is durable before it is reported as recovered", () => {
    for (const failNextSync of [true, false]) {
      for (let seed = 0; seed < 20; seed++) {
        const { disk, queue, wal } = foundLog();
        append(wal, entries(1, 5));
        // The sync fails, or never runs. Then the process dies, not the machine.
        disk.faults.failNextSync = failNextSync;
        if (failNextSync) queue.settle();
        const next = disk.orphaned(() => {});
        expect(indexesOf(openWal(next, options).recovered.entries)).toEqual([1, 2, 3, 4, 5]);
        const after = next.crashed(new Dice(seed).sequence(), () => {});
        expect(indexesOf(openWal(after, options).recovered.entries)).toEqual([1, 2, 3, 4, 5]);
      }
    }
  });

  test("a full disk stops the log and leaves it readable", () => {
    const { disk, queue, wal } = foundLog();
    const failures: Error[] = [];
    wal.onFailure((error) => failures.push(error));
    let acknowledged = 0;
    disk.faults.spaceBytes = 3_000;
    for (const one of entries(1, 100)) {
      append(wal, [one], () => {
        acknowledged = one.index;
      });
      queue.settle();
    }
    expect(failures.map((error) => (error as NodeJS.ErrnoException).code)).toEqual(["ENOSPC"]);
    disk.faults.spaceBytes = undefined;
    const { recovered } = openWal(disk, options);
    expect(recovered.entries.length).toBeGreaterThanOrEqual(acknowledged);
    expect(acknowledged).toBeGreaterThan(25);
  });

  test("no room for the segment after this one fails nothing before it is needed", () => {
    const { disk, queue, wal } = foundLog();
    const failures: Error[] = [];
    wal.onFailure((error) => failures.push(error));
    disk.faults.spaceBytes = 100;
    append(wal, [entry(1, 1)]);
    queue.settle();
    expect(disk.list("wal")).not.toContain("next.tmp");
    append(wal, [entry(2, 1)]);
    queue.settle();
    expect(failures).toEqual([]);
    append(wal, [entry(3, 1, "x".repeat(2_000))]);
    expect(failures).toHaveLength(1);
  });

  test("a draft whose sync failed is not used", () => {
    const { disk, queue, wal } = foundLog();
    let acknowledged = 0;
    append(wal, [entry(1, 1)], () => {
      acknowledged = 1;
    });
    while (acknowledged === 0) queue.step();
    disk.faults.failNextSync = true;
    queue.settle();
    expect(disk.faults.failNextSync).toBe(false);
    expect(disk.list("wal")).not.toContain("next.tmp");
    append(wal, [entry(2, 1, "x".repeat(2_000))], () => {
      acknowledged = 2;
    });
    queue.settle();
    expect(acknowledged).toBe(2);
    const next = disk.crashed(new Dice(1).sequence(), () => {});
    expect(indexesOf(openWal(next, options).recovered.entries)).toEqual([1, 2]);
  });
});
