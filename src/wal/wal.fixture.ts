/** Shared by the tests of the log: small segments on a disk whose syncs the test completes. */
import type { Entry, HardState } from "../raft/types.js";
import { MemoryDisk } from "../verify/sim/platform/memory-disk.js";
import { RecordFrameReader, RecordType } from "./frame.js";
import { FrameBuffer } from "./frame-buffer.js";
import { createWal, type LogIdentity, type Wal } from "./wal.js";

export const options = { dir: "wal", segmentBytes: 2_048 };
export const metadata: LogIdentity = {
  clusterId: 7n,
  memberId: 0xffff_ffff_ffff_fff1n,
  incarnation: 0xfeed_0000_0000_0001n,
  isJoiner: true,
};
export const founding = {
  metadata,
  salt: 0x5a17_ab1e,
  hardState: { term: 0, vote: 0n, commit: 0 },
  marker: undefined,
};
export const confState = {
  voters: [1n, 2n],
  learners: [3n],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
};

export function entry(index: number, term: number, text = `entry ${index} of term ${term}`): Entry {
  return { index, term, type: 0, data: new TextEncoder().encode(text) };
}

/** Entries [from, to] of one term. */
export function entries(from: number, to: number, term = 1): Entry[] {
  return Array.from({ length: to - from + 1 }, (_, at) => entry(from + at, term));
}

export function indexesOf(list: readonly Entry[]): number[] {
  return list.map(({ index }) => index);
}

/** Completions that wait for the test. */
export class Queue {
  readonly #waiting: (() => void)[] = [];
  readonly push = (fn: () => void): void => {
    this.#waiting.push(fn);
  };

  get length(): number {
    return this.#waiting.length;
  }

  /** Runs the oldest completion. */
  step(): void {
    this.#waiting.shift()?.();
  }

  settle(): void {
    while (this.#waiting.length > 0) this.step();
  }
}

export interface Scene {
  readonly disk: MemoryDisk;
  readonly queue: Queue;
  readonly wal: Wal;
}

export function foundLog(): Scene {
  const queue = new Queue();
  const disk = new MemoryDisk(queue.push);
  return { disk, queue, wal: createWal(disk, founding, options) };
}

export function append(wal: Wal, list: readonly Entry[], done: () => void = () => {}): void {
  wal.append({ hardState: undefined, entries: list, snapshot: undefined, mustSync: true }, done);
}

/** Appends a batch that needs no sync. */
export function appendCommit(wal: Wal, hardState: HardState, done: () => void = () => {}): void {
  wal.append({ hardState, entries: [], snapshot: undefined, mustSync: false }, done);
}

/** Makes a closed log with these entries, one flush for each. */
export function writtenLog(count: number): MemoryDisk {
  const { disk, queue, wal } = foundLog();
  for (let index = 1; index <= count; index++) {
    append(wal, [entry(index, 1)]);
    queue.settle();
  }
  wal.close();
  return disk;
}

export function segmentsOf(disk: MemoryDisk): string[] {
  return disk
    .list("wal")
    .filter((name) => name.endsWith(".wal"))
    .map((name) => `wal/${name}`);
}

export function lastSegment(disk: MemoryDisk): string {
  return segmentsOf(disk).at(-1) as string;
}

export function contentOf(disk: MemoryDisk, path: string): Uint8Array {
  const file = disk.open(path, "existing");
  return file.read(0, file.size());
}

/** Where the frames end: behind the last byte that is not zero, at the alignment of frames. */
export function endOfFrames(content: Uint8Array): number {
  return Math.ceil((content.findLastIndex((byte) => byte !== 0) + 1) / 8) * 8;
}

export function overwrite(disk: MemoryDisk, path: string, at: number, bytes: Uint8Array): void {
  const file = disk.open(path, "existing");
  file.write(at, bytes);
  file.syncNow();
}

/**
 * Rewrites the log as builds wrote it before logs had incarnations: the start of each segment is
 * shorter.
 */
export function asFirstVersion(disk: MemoryDisk): void {
  const hardStateEnd = 56;
  for (const path of segmentsOf(disk)) {
    const content = contentOf(disk, path);
    const start = new RecordFrameReader(content, 0).read(0);
    if (start === undefined) throw new Error(`${path} has no start`);
    const { payload, frameBytes } = start;
    const shorter = [...payload.subarray(0, hardStateEnd), ...payload.subarray(hardStateEnd + 9)];
    shorter[7] = 1;
    const head = new FrameBuffer(0);
    head.begin(0);
    head.addRecord(RecordType.start, Uint8Array.from(shorter), false);
    const moved = new Uint8Array(content.length);
    moved.set(head.bytes());
    moved.set(content.subarray(frameBytes), head.bytes().length);
    const file = disk.open(path, "existing");
    file.write(0, moved);
    file.syncNow();
    file.close();
  }
}
