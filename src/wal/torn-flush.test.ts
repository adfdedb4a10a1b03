/** A flush that a power failure tore at any place, with any later part of it on the disk. */
import { expect, test } from "vitest";
import { DamageError } from "../base/errors.js";
import {
  append,
  contentOf,
  endOfFrames,
  entry,
  foundLog,
  indexesOf,
  lastSegment,
  options,
  overwrite,
} from "./wal.fixture.js";
import { openWal } from "./wal.js";

const chainAt = 4;

test("a flush that is torn anywhere, even inside the checks of a record, never was", () => {
  const { disk, queue, wal } = foundLog();
  append(wal, [entry(1, 1)]);
  queue.settle();
  const path = lastSegment(disk);
  const from = endOfFrames(contentOf(disk, path));
  append(wal, [entry(2, 1), entry(3, 1)]);
  const flush = contentOf(disk, path).slice(from, endOfFrames(contentOf(disk, path)));
  for (let cut = 0; cut < flush.length - 8; cut++) {
    // The bytes from here on have arrived, those between have not.
    for (let again = cut + 1; again <= flush.length; again += 5) {
      const torn = flush.slice();
      torn.fill(0, cut, again);
      if (Buffer.compare(torn, flush) === 0) continue;
      const left = disk.orphaned(() => {});
      overwrite(left, path, from, torn);
      expect(indexesOf(openWal(left, options).recovered.entries), `${cut} to ${again}`).toEqual([
        1,
      ]);
    }
  }
});

test("a record that lost its chain before a later flush is damage", () => {
  const { disk, queue, wal } = foundLog();
  const starts: number[] = [];
  for (let index = 1; index <= 3; index++) {
    starts.push(endOfFrames(contentOf(disk, lastSegment(disk))));
    append(wal, [entry(index, 1)]);
    queue.settle();
  }
  for (const at of starts) {
    const left = disk.orphaned(() => {});
    overwrite(left, lastSegment(left), at + chainAt, new Uint8Array(4));
    expect(() => openWal(left, options)).toThrow(DamageError);
  }
});
