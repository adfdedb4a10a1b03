/**
 * etcd's hash of a compaction (3.5.5 on): the HashKV of the compacted revision from before the
 * compaction. It costs no extra reading, because the compaction looks at these rows anyway. All
 * members that compacted at the same two revisions have the same hash, whenever each of them did
 * the work. As in etcd, hashes are kept in memory only, and only for compactions that began in this
 * process after a finished one.
 */
import { crc32c } from "../../base/crc32c.js";
import { rowCrc, type SoundRow } from "../rows.js";
import type { HashKv } from "../types.js";
import type { RowRevision } from "./revision-key.js";

/** How many hashes are kept: as many as etcd keeps. */
const hashesMax = 10;
const bucketHash = crc32c(new TextEncoder().encode("key"));

export class CompactionHashes {
  #finished: HashKv[] = [];
  #running: { readonly revision: number; readonly before: number; hash: number } | undefined;
  #keepsAny: (() => boolean) | undefined;
  #knownToKeep: boolean | undefined;

  /**
   * Begins a compaction at `revision`. `before` is the revision of the previous one; -1: none.
   * `keepsAny` tells whether this one keeps any row; it is called at most once.
   */
  begin(revision: number, before: number, keepsAny: () => boolean): void {
    this.#running = { revision, before, hash: bucketHash };
    this.#keepsAny = keepsAny;
    this.#knownToKeep = undefined;
  }

  /** Gives up the running compaction's hash: it is not whole, or follows no finished one. */
  giveUp(): void {
    this.#running = undefined;
  }

  /** Takes the next row of the compaction. */
  row(at: RowRevision, row: SoundRow, isKept: boolean) {
    const running = this.#running;
    if (running === undefined) return;
    const isOld = at.main <= running.before;
    if (at.isTombstone && at.main === running.before) return;
    if (isOld && !isKept && this.#keeps()) return;
    running.hash = rowCrc(row, running.hash);
  }

  finish(): void {
    if (this.#running === undefined) return;
    const { revision, before, hash } = this.#running;
    this.#running = undefined;
    const others = this.#finished.filter(({ hashRevision }) => hashRevision !== revision);
    this.#finished = [{ hash, compactRevision: before, hashRevision: revision }, ...others];
    this.#finished.length = Math.min(this.#finished.length, hashesMax);
  }

  /** The hashes that are kept, newest first. */
  all(): readonly HashKv[] {
    return this.#finished;
  }

  #keeps(): boolean {
    this.#knownToKeep ??= this.#keepsAny?.() ?? false;
    return this.#knownToKeep;
  }
}
