/**
 * The ordered key-value store below the state machine: named buckets of byte rows. Reads are
 * synchronous and see every write at once; `commit` makes everything written so far durable, later.
 *
 * Atomicity: one `write` call is one unit; a crash keeps a prefix of the `write` calls, at least
 * up to the last durable `commit`, and never a part of one. (The state machine passes one `write`
 * per log entry, with the applied index and the digests in it: the law of this store.)
 */

import type { RowRun } from "./row-run.js";
import type { Bucket, RowWrite } from "./rows.js";

export interface BackendReader {
  /**
   * The row's value, or undefined. The bytes are the caller's to keep, not to change; kept for
   * long they may hold up to 16 KiB of neighbours, so a cache copies them.
   */
  get(bucket: Bucket, key: Uint8Array): Uint8Array | undefined;
  /**
   * Visits rows with from <= key < to (`to` undefined: to the end) in byte order, or backwards
   * with `reverse`, until `visit` returns false. `visit` must not write.
   */
  scan(
    bucket: Bucket,
    range: {
      readonly from: Uint8Array;
      readonly to?: Uint8Array | undefined;
      readonly reverse?: boolean;
    },
    visit: (key: Uint8Array, value: Uint8Array) => boolean,
  ): void;
}

/**
 * A frozen view. It stays readable until it is closed, also when its backend is being closed
 * meanwhile. Holds disk pages, and keeps the backend open: close it. Closing it again does nothing.
 */
export interface BackendSnapshot extends BackendReader {
  close(): void;
}

export interface Backend extends BackendReader {
  /**
   * All rows or none. Visible to reads at once; durable after a later `commit`. `run`: the many rows
   * of a large write, taken over by reference; `rows` are written after them.
   */
  write(rows: readonly RowWrite[], run?: RowRun): void;
  /**
   * Starts to make all earlier writes durable, then calls `done` once, never inside this call.
   * A second commit while one runs is queued behind it, and may save later writes with its own.
   * After an error the backend refuses work: `write` throws it, commits fail with it; reads go on.
   */
  commit(done: (error: Error | undefined) => void): void;
  /**
   * A view of exactly the durable state of the last completed commit. Any number may be open at the
   * same commit; views of different commits cost a reader each, of which there are `viewedCommitsMax`.
   */
  snapshot(): BackendSnapshot;
  /** Bytes of the file(s), and of the pages in use; what Status reports as dbSize, dbSizeInUse. */
  sizes(): { readonly total: number; readonly inUse: number };
  /**
   * Writes the rows that are durable now into the new backend `into`, densely; a crash leaves no part
   * of it. Works in short slices. An error leaves nothing of `into`; a copy still running when the
   * backend is closed may end with one.
   */
  copyTo(into: string, done: (error: Error | undefined) => void): void;
  /**
   * Nothing can be read, written or viewed here any more, but by the snapshots that are open. Calls
   * `done` once, later, when the running commit and copies have ended and the last snapshot is closed.
   * Unsaved writes are dropped, as in a crash, and a commit that is still queued fails.
   */
  close(done: () => void): void;
}

/** Commits with an open snapshot, at a time. One more fails the next commit. */
export const viewedCommitsMax = 100;

/** The backends of one member, by name; which one is in use is the member's business. */
export interface BackendStore {
  /**
   * Creates it empty if absent. `use` "read": it is only looked at, and not written to; nothing of it
   * is changed or created anew.
   * @throws DamageError if it exists and cannot be read.
   */
  open(name: string, use?: "read" | "write"): Backend;
  /**
   * Whether a backend that is not open can be read to its end. Calls `done` once, later. A damaged one
   * may end the process that reads it; that is not this process.
   */
  probe(name: string, done: (problem: Error | undefined) => void): void;
  /** Sorted. */
  list(): string[];
  remove(name: string): void;
}
