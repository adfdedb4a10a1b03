/**
 * Damage in the files of a log: flipped bits, garbage, missing and foreign segments. Damage before
 * an acknowledged record is refused with file, offset and advice, never skipped.
 */
import { expect, test } from "vitest";
import { DamageError, StartError } from "../base/errors.js";
import type { Entry } from "../raft/types.js";
import { MemoryDisk } from "../verify/sim/platform/memory-disk.js";
import {
  append,
  contentOf,
  endOfFrames,
  entries,
  entry,
  founding,
  foundLog,
  indexesOf,
  lastSegment,
  options,
  overwrite,
  Queue,
  segmentsOf,
  writtenLog,
} from "./wal.fixture.js";
import { createWal, openWal } from "./wal.js";

test("a flipped bit anywhere never hides an acknowledged entry", () => {
  const count = 12;
  const whole = writtenLog(count);
  const path = lastSegment(whole);
  const end = endOfFrames(contentOf(whole, path));
  let refused = 0;
  for (let position = 0; position < options.segmentBytes; position++) {
    const disk = writtenLog(count);
    disk.flipBit(path, position, position % 8);
    let list: readonly Entry[];
    try {
      list = openWal(disk, options).recovered.entries;
    } catch (error) {
      expect(error).toBeInstanceOf(DamageError);
      expect((error as Error).message).toMatch(/wal\/.*\.wal: offset \d+: .*Restore the file/s);
      refused++;
      continue;
    }
    // The changed bytes lie in the padding of a frame, in the seal at the end, or behind it.
    expect(list).toEqual(entries(1, count));
  }
  expect(refused).toBeGreaterThan(end - 8 * (count + 2) - 24);
});

test("a flipped bit in a finished segment, and an end that was zeroed", () => {
  const disk = writtenLog(60);
  const [first, second] = segmentsOf(disk) as [string, string];
  const end = endOfFrames(contentOf(disk, first));
  disk.flipBit(first, end - 30, 3);
  expect(() => openWal(disk, options)).toThrow(/a damaged record in a finished segment/);
  disk.flipBit(first, end - 30, 3);
  // Overwrites the last entry, and the seal behind it.
  overwrite(disk, first, end - 80, new Uint8Array(80));
  expect(() => openWal(disk, options)).toThrow(
    `${second}: offset 0: it does not continue the segment before it`,
  );
});

test("a bit that flips in the unfinished flush itself is a torn tail", () => {
  const { disk, queue, wal } = foundLog();
  append(wal, entries(1, 3));
  queue.settle();
  const end = endOfFrames(contentOf(disk, lastSegment(disk)));
  append(wal, [entry(4, 1)]);
  append(wal, [entry(5, 1)]);
  disk.flipBit(lastSegment(disk), end + 30, 0);
  const { recovered } = openWal(
    disk.orphaned(() => {}),
    options,
  );
  expect(indexesOf(recovered.entries)).toEqual([1, 2, 3]);
});

test("garbage at the end is cut, and the log goes on behind it", () => {
  const queue = new Queue();
  const disk = writtenLog(5).orphaned(queue.push);
  const path = lastSegment(disk);
  const end = endOfFrames(contentOf(disk, path));
  overwrite(disk, path, end, new Uint8Array(61).fill(0xa5));
  const { wal, recovered } = openWal(disk, options);
  expect(recovered.entries).toHaveLength(5);
  append(wal, [entry(6, 1)]);
  queue.settle();
  wal.close();
  expect(openWal(disk, options).recovered.entries).toHaveLength(6);
  expect(
    contentOf(disk, path)
      .subarray(end + 200)
      .every((byte) => byte === 0),
  ).toBe(true);
});

test("frames inside of a value are no records", () => {
  // The first frames have this log's salt and a good head; the others have neither.
  const cases = [
    { salt: founding.salt, tear: (at: number) => [at + 1_000, 100] as const },
    { salt: 99, tear: (at: number) => [at, 200] as const },
  ];
  for (const { salt, tear } of cases) {
    const other = new MemoryDisk(() => {});
    const source = createWal(other, { ...founding, salt }, options);
    append(source, entries(1, 25));
    const stolen = contentOf(other, lastSegment(other)).subarray(0, 1_500);
    const { disk, queue, wal } = foundLog();
    append(wal, [entry(1, 1)]);
    queue.settle();
    const end = endOfFrames(contentOf(disk, lastSegment(disk)));
    // Frames lie at multiples of 8: three bytes more than the heads of record and entry.
    const data = new Uint8Array(3 + stolen.length);
    data.set(stolen, 3);
    append(wal, [{ index: 2, term: 1, type: 0, data }]);
    const [from, length] = tear(end);
    overwrite(disk, lastSegment(disk), from, new Uint8Array(length));
    expect(indexesOf(openWal(disk, options).recovered.entries)).toEqual([1]);
  }
});

test("a missing segment: in the middle, at the front", () => {
  const middle = writtenLog(80);
  middle.remove(segmentsOf(middle)[1] as string);
  expect(() => openWal(middle, options)).toThrow(/the segment before it is missing/);
  const front = writtenLog(80);
  front.remove(segmentsOf(front)[0] as string);
  expect(() => openWal(front, options)).toThrow(/the log begins at \d+, but is needed from 1 on/);
  expect(() => openWal(new MemoryDisk(() => {}), options)).toThrow(/there is no log segment/);
});

test("files that are not of this log", () => {
  const foreign = writtenLog(1);
  overwrite(foreign, lastSegment(foreign), 0, new TextEncoder().encode("somebody else's file"));
  expect(() => openWal(foreign, options)).toThrow(/offset 0: not the start of a log segment/);
  const mixed = writtenLog(80);
  const other = new MemoryDisk(() => {});
  createWal(other, { ...founding, salt: 1 }, options);
  const start = contentOf(other, lastSegment(other)).subarray(0, 100);
  overwrite(mixed, lastSegment(mixed), 0, start);
  expect(() => openWal(mixed, options)).toThrow(/it belongs to another log/);
  expect(() => openWal(mixed, options)).not.toThrow(StartError);
});
