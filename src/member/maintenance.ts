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

/** The request that a job is for: it owns what the job throws. */
export interface JobOwner<T> {
  readonly done: Done<T>;
  /** Why the job is to end without a result. */
  refusal(): KvError | undefined;
  /** What the request is answered after this error. */
  failed(error: unknown): KvError;
}

/** Runs a job in pieces, until it ends, fails, or its owner has no use for it. */
export function runJob<T>(clock: Clock, job: Job<T>, owner: JobOwner<T>): void {
  const step = (): void => {
    let result: T | KvError | undefined;
    try {
      result = owner.refusal() ?? job.step(rowsPerTurn);
    } catch (error) {
      result = owner.failed(error);
    }
    if (result === undefined) clock.defer(step);
    else owner.done(result);
  };
  step();
}

export function hashKv(
  clock: Clock,
  kv: KvReader,
  revision: number,
  owner: JobOwner<HashKv & { readonly currentRevision: number }>,
): void {
  const { done } = owner;
  let job: Job<HashKv>;
  try {
    job = kv.hashKv(revision);
  } catch (error) {
    done(owner.failed(error));
    return;
  }
  runJob(clock, job, {
    refusal: () => owner.refusal(),
    failed: (error) => owner.failed(error),
    done: (result) =>
      done(result instanceof KvError ? result : { ...result, currentRevision: kv.revision() }),
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
