/** What a scrub finds in the log, beside its writer. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createMemoryBackendStore } from "../../verify/sim/platform/memory-backend.js";
import { MemoryDisk } from "../../verify/sim/platform/memory-disk.js";
import { headerBytes, RecordFrameReader } from "../../wal/frame.js";
import { SegmentCheck } from "../../wal/segment-check.js";
import {
  append,
  appendCommit,
  contentOf,
  endOfFrames,
  entry,
  founding,
  lastSegment,
  Queue,
  segmentsOf,
} from "../../wal/wal.fixture.js";
import { createWal, openWal, type Wal } from "../../wal/wal.js";
import { Scene, shown } from "./scrub.fixture.js";

function logged(entries: number): Scene {
  const scene = new Scene({
    backend: (clock) => createMemoryBackendStore({ defer: (fn) => clock.defer(fn) }).open("db"),
  });
  scene.log(entries);
  return scene;
}

const nameOf = (path: string): string => path.slice("wal/".length);

/** The first damage that checks of all segments find, one after the other; all windows are read. */
function checkAll(disk: MemoryDisk, wal: Wal): string | undefined {
  const { dir, segments, durable } = wal.extent();
  let before: ReturnType<SegmentCheck["end"]>;
  for (const [place, { name }] of segments.entries()) {
    const path = `${dir}/${name}`;
    const isLast = place === segments.length - 1;
    const check = new SegmentCheck({
      path,
      file: disk.open(path, "existing"),
      before,
      durable: isLast ? durable : undefined,
    });
    while (check.step() > 0);
    const damage = check.damage();
    if (damage !== undefined) return `${name} ${damage.offset}`;
    before = check.end();
    if (before === undefined) return `${name} has no end`;
  }
  return undefined;
}

/** Padding, and the chain of the first record, which continues nothing: a restart ignores them too. */
function uncoveredBytes(content: Uint8Array): Set<number> {
  const uncovered = new Set([4, 5, 6, 7]);
  const frameAt = (at: number) =>
    new RecordFrameReader(content, at === 0 ? 0 : founding.salt).read(at);
  let at = 0;
  for (let frame = frameAt(at); frame !== undefined; frame = frameAt(at)) {
    const end = at + headerBytes + frame.payload.length;
    at += frame.frameBytes;
    for (let padding = end; padding < at; padding++) uncovered.add(padding);
  }
  return uncovered;
}

describe("a flipped bit", () => {
  test("in a finished segment is told with the place of its record", async () => {
    const scene = logged(120);
    const [path] = segmentsOf(scene.disk) as [string];
    expect(segmentsOf(scene.disk).length).toBeGreaterThan(3);
    expect(await scene.scrub()).toEqual([]);
    scene.disk.flipBit(path, 500, 3);
    const [finding] = await scene.scrub();
    expect(finding).toMatchObject({ kind: "wal", segment: nameOf(path) });
    const offset = finding?.kind === "wal" ? finding.offset : -1;
    expect(offset).toBeLessThanOrEqual(500);
    expect(offset).toBeGreaterThan(400);
    scene.disk.flipBit(path, 500, 3);
    expect(await scene.scrub()).toEqual([]);
  });

  test("in the open one too, but not behind what is durable", async () => {
    const scene = logged(5);
    const path = lastSegment(scene.disk);
    const { offset } = scene.wal.extent().durable;
    scene.disk.flipBit(path, offset + 2, 0);
    expect(await scene.scrub()).toEqual([]);
    // All five were acknowledged.
    const text = Buffer.from(contentOf(scene.disk, path)).indexOf("entry 5 of term 1");
    expect(text).toBeGreaterThan(0);
    expect(text).toBeLessThan(offset);
    scene.disk.flipBit(path, text, 0);
    expect(shown(await scene.scrub())).toEqual([
      expect.stringMatching(new RegExp(`^wal ${nameOf(path)} \\d+$`)),
    ]);
  });

  test("is found wherever it is: heads, payloads, chains, and the zeros of finished segments", () => {
    const queue = new Queue();
    const disk = new MemoryDisk(queue.push);
    const wal = createWal(disk, founding, { dir: "wal", segmentBytes: 512 });
    for (let index = 1; index <= 20; index++) {
      append(wal, [entry(index, 1, "eleven char")]);
      queue.settle();
    }
    expect(checkAll(disk, wal)).toBeUndefined();
    const open = lastSegment(disk);
    for (const path of segmentsOf(disk)) {
      const { length } = contentOf(disk, path);
      const end = path === open ? wal.extent().durable.offset : length;
      const uncovered = uncoveredBytes(contentOf(disk, path));
      for (let at = 0; at < end; at++) {
        if (uncovered.has(at)) continue;
        disk.flipBit(path, at, at % 8);
        expect(checkAll(disk, wal), `${path} ${at}`).toBeDefined();
        disk.flipBit(path, at, at % 8);
      }
    }
    expect(checkAll(disk, wal)).toBeUndefined();
  });
});

test("a segment that is not there, and one of another log", async () => {
  const scene = logged(120);
  const [, second, third, fourth] = segmentsOf(scene.disk).map(nameOf) as [
    string,
    string,
    string,
    string,
  ];
  scene.disk.rename(`wal/${third}`, "kept");
  expect(await scene.scrub()).toMatchObject([{ kind: "wal", segment: third, offset: 0 }]);
  // What lies in its place is whole, but the next one does not continue it.
  scene.disk.rename(`wal/${second}`, `wal/${third}`);
  expect(shown(await scene.scrub())).toEqual([`wal ${second} 0`, `wal ${fourth} 0`]);
});

test("a disk that refuses to read is a finding, not a failure", async () => {
  const scene = logged(5);
  const { disk } = scene;
  const open = disk.open.bind(disk);
  disk.open = (path, mode) => {
    const file = open(path, mode);
    return Object.assign(file, {
      read: () => {
        throw new Error("EIO: i/o error, read");
      },
    });
  };
  expect(await scene.scrub()).toMatchObject([{ kind: "wal", what: "EIO: i/o error, read" }]);
});

test("segments that are purged while the scrub reads are not missed", async () => {
  const scene = logged(300);
  const before = scene.wal.extent().segments.length;
  let purged = 0;
  const { disk } = scene;
  const open = disk.open.bind(disk);
  disk.open = (path, mode) => {
    const opened = open(path, mode);
    if (purged < 200) {
      purged += 40;
      scene.wal.purge(purged);
    }
    return opened;
  };
  expect(await scene.scrub()).toEqual([]);
  expect(scene.wal.extent().segments.length).toBeLessThan(before);
});

test("records of all sizes, across windows and segments, also after a restart", () => {
  const sizes = fc.array(
    fc.oneof(fc.nat(200), fc.nat(70_000), fc.integer({ min: 100_000, max: 400_000 })),
    { minLength: 1, maxLength: 25 },
  );
  fc.assert(
    fc.property(sizes, fc.integer({ min: 100_000, max: 600_000 }), (list, segmentBytes) => {
      const queue = new Queue();
      const disk = new MemoryDisk(queue.push);
      const options = { dir: "wal", segmentBytes };
      let wal = createWal(disk, founding, options);
      for (const [at, size] of list.entries()) {
        append(wal, [entry(at + 1, 1, "x".repeat(size))]);
        if (at % 3 === 0) appendCommit(wal, { term: 1, vote: 0n, commit: at });
        // Between a write and its sync, and behind it.
        expect(checkAll(disk, wal)).toBeUndefined();
        if (at % 2 === 0) queue.settle();
        expect(checkAll(disk, wal)).toBeUndefined();
        if (at % 7 === 6) {
          queue.settle();
          wal.close();
          ({ wal } = openWal(disk, options));
          expect(checkAll(disk, wal)).toBeUndefined();
        }
      }
      queue.settle();
      const path = lastSegment(disk);
      const end = Math.min(wal.extent().durable.offset, endOfFrames(contentOf(disk, path)));
      disk.flipBit(path, end - 8, 0);
      expect(checkAll(disk, wal)).toBeDefined();
    }),
    { numRuns: 40 },
  );
});
