/**
 * The ordered key-value store below the state machine: named buckets of byte rows. Reads are
 * synchronous and see every write at once. `commit` makes everything written so far durable, later.
 *
 * Atomicity: one `write` call is one unit. A crash keeps a prefix of the `write` calls, at least up
 * to the last durable `commit`, and never a part of one. The state machine passes one `write` per
 * log entry, with the applied index and the digests in it, so every crash image has a state that
 * the log explains.
 */

import type { RowRun } from "./row-run.js";
import type { Bucket, RowWrite } from "./rows.js";

export interface BackendReader {
  /**
   * The row's value, or undefined. The caller may keep the bytes, but not change them. Kept bytes
   * may hold up to 16 KiB of neighbours in memory, so a cache copies them.
   */
  get(bucket: Bucket, key: Uint8Array): Uint8Array | undefined;
  /**
   * Visits rows with from <= key < to (`to` undefined: to the end) in byte order, or backwards
   * with `reverse`, until `visit` returns false. `visit` must not write. With `isLent` the bytes
   * change when `visit` returns, so it keeps none, and it must not read the backend. That is far
   * cheaper.
   */
  scan(
    bucket: Bucket,
    range: {
      readonly from: Uint8Array;
      readonly to?: Uint8Array | undefined;
      readonly reverse?: boolean;
      readonly isLent?: boolean;
    },
    visit: (key: Uint8Array, value: Uint8Array) => boolean,
  ): void;
}

/**
 * A frozen view. It stays readable until it is closed, even while its backend is being closed. It
 * uses disk pages and keeps the backend open, so close it. A second close does nothing.
 */
export interface BackendSnapshot extends BackendReader {
  close(): void;
}

export interface Backend extends BackendReader {
  /**
   * Writes all rows or none. Reads see them at once; they are durable after a later `commit`. `run`
   * holds the many rows of a large write and is taken over by reference; `rows` are written after
   * it.
   */
  write(rows: readonly RowWrite[], run?: RowRun): void;
  /**
   * Starts to make all earlier writes durable, then calls `done` once, never inside this call. A
   * second commit while one runs is queued behind it, and may save later writes together with its
   * own. After an error the backend refuses work: `write` throws the error, commits fail with it.
   * Reads continue to work.
   */
  commit(done: (error: Error | undefined) => void): void;
  /**
   * A view of exactly the durable state of the last completed commit. Any number may be open at the
   * same commit. Views of different commits need a reader each; there are `viewedCommitsMax`
   * readers.
   */
  snapshot(): BackendSnapshot;
  /**
   * Bytes of the file(s), and of the pages in use. Status reports them as dbSize and dbSizeInUse.
   */
  sizes(): { readonly total: number; readonly inUse: number };
  /**
   * Writes the rows that are durable now into the new backend `into`, densely. A crash leaves no
   * part of it. Works in short slices. An error leaves nothing of `into`. A copy that still runs
   * when the backend is closed may end with an error.
   */
  copyTo(into: string, done: (error: Error | undefined) => void): void;
  /**
   * Closes the backend. From this call on only the open snapshots can be read; all else is refused.
   * Calls `done` once, later, when the running commit and copies have ended and the last snapshot
   * is closed. Unsaved writes are dropped, as in a crash, and a commit that is still queued fails.
   */
  close(done: () => void): void;
}

/**
 * The most commits that may have open snapshots at a time. With one more, the next commit fails.
 */
export const viewedCommitsMax = 100;

/** The backends of one member, by name. The member decides which one is in use. */
export interface BackendStore {
  /**
   * Opens a backend, and creates it empty if absent. With `use` "read" it is only read: nothing in
   * it is changed or made anew. @throws DamageError if it exists and cannot be read
   */
  open(name: string, use?: "read" | "write"): Backend;
  /**
   * Checks whether a backend that is not open can be read to its end. Calls `done` once, later. A
   * damaged backend may end the process that reads it, so another process does this.
   */
  probe(name: string, done: (problem: Error | undefined) => void): void;
  /** The names of all backends, sorted. */
  list(): string[];
  remove(name: string): void;
}
