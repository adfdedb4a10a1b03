/**
 * The long or rare things an operator asks of one member: hashes, defragmentation, leadership
 * transfer, a copy of the state. Long scans run in bounded pieces between turns.
 */
import { crc32c } from "../base/crc32c.js";
import { KvError } from "../base/errors.js";
import type { BackendReader, BackendSnapshot } from "../platform/backend.js";
import { bucketNames } from "../platform/backend.js";
import type { Clock } from "../platform/clock.js";
import { type Cursor, encodeChunk, firstCursor } from "../snapshot/row-chunk.js";
import type { HashKv, Job, KvReader } from "../state/types.js";
import { readSoundChunk } from "./sound-chunk.js";
import type { Done } from "./types.js";

const rowsPerTurn = 5_000;
const chunkBytes = 512 * 1024;

export interface JobEnd<T> {
  readonly done: Done<T>;
  /** What the job read is damaged: there is no answer, and the member cannot go on. */
  failed(error: Error): void;
}

/** Runs a job in pieces; a KvError of a piece is the answer. */
export function runJob<T>(clock: Clock, job: Job<T>, { done, failed }: JobEnd<T>): void {
  const step = (): void => {
    let result: T | undefined;
    try {
      result = job.step(rowsPerTurn);
    } catch (error) {
      if (error instanceof KvError) done(error);
      else failed(error as Error);
      return;
    }
    if (result === undefined) clock.defer(step);
    else done(result);
  };
  step();
}

export function hashKv(
  clock: Clock,
  kv: KvReader,
  revision: number,
  { done, failed }: JobEnd<HashKv & { readonly currentRevision: number }>,
): void {
  let job: Job<HashKv>;
  try {
    job = kv.hashKv(revision);
  } catch (error) {
    if (!(error instanceof KvError)) throw error;
    done(error);
    return;
  }
  runJob(clock, job, {
    done: (result) =>
      done(result instanceof KvError ? result : { ...result, currentRevision: kv.revision() }),
    failed,
  });
}

/** CRC-32C over every bucket's name and rows in order. */
export function hashAll(view: BackendReader): Job<number> {
  let hash = 0;
  let bucket = -1;
  let cursor: Cursor = firstCursor;
  return {
    step(rowsMax) {
      const chunk = readSoundChunk(view, cursor, rowsMax * 64);
      for (const row of chunk.rows) {
        for (; bucket < row.bucket; bucket++) {
          hash = crc32c(new TextEncoder().encode(bucketNames[bucket + 1] ?? ""), hash);
        }
        hash = crc32c(row.value ?? firstCursor.key, crc32c(row.key, hash));
      }
      if (chunk.next === undefined) return hash;
      cursor = chunk.next;
      return undefined;
    },
  };
}

/** A frozen state as a byte stream: 4-byte little-endian length, then one chunk, repeated. */
export function streamSnapshot(view: BackendSnapshot): {
  readonly totalBytes: number;
  next(): Uint8Array | undefined;
  close(): void;
} {
  let totalBytes = 0;
  for (let at: Cursor | undefined = firstCursor; at !== undefined; ) {
    const chunk = readSoundChunk(view, at, chunkBytes);
    totalBytes += 4 + encodeChunk(chunk).length;
    at = chunk.next;
  }
  let cursor: Cursor | undefined = firstCursor;
  return {
    totalBytes,
    next() {
      if (cursor === undefined) return undefined;
      const chunk = readSoundChunk(view, cursor, chunkBytes);
      cursor = chunk.next;
      const encoded = encodeChunk(chunk);
      const framed = new Uint8Array(4 + encoded.length);
      new DataView(framed.buffer).setUint32(0, encoded.length, true);
      framed.set(encoded, 4);
      return framed;
    },
    close: () => view.close(),
  };
}
