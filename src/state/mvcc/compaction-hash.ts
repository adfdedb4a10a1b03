/**
 * etcd's hash of a compaction (3.5.5 on): the HashKV of the compacted revision as it was before, which
 * costs no reading of its own, because the compaction looks at these rows anyway. It is the same on all
 * members that compacted at the same two revisions, whenever each of them did the work. In memory
 * only, and only of compactions that began in this process behind a finished one; as in etcd.
 */
import { crc32c } from "../../base/crc32c.js";
import type { HashKv } from "../types.js";
import type { RowRevision } from "./revision-key.js";

/** As many as etcd keeps. */
const hashesMax = 10;
const bucketHash = crc32c(new TextEncoder().encode("key"));

export class CompactionHashes {
  #finished: HashKv[] = [];
  #running: { readonly revision: number; readonly before: number; hash: number } | undefined;
  #keepsAny: (() => boolean) | undefined;
  #knownToKeep: boolean | undefined;

  /**
   * A compaction begins: its revision, and that of the one before (-1: none). `keepsAny`: whether
   * it will keep any row; asked at most once.
   */
  begin(revision: number, before: number, keepsAny: () => boolean): void {
    this.#running = { revision, before, hash: bucketHash };
    this.#keepsAny = keepsAny;
    this.#knownToKeep = undefined;
  }

  /** What runs is not whole, or not behind a finished compaction: it has no hash. */
  giveUp(): void {
    this.#running = undefined;
  }

  /** The compaction looks at its next row. */
  row(
    at: RowRevision,
    row: { readonly key: Uint8Array; readonly value: Uint8Array },
    isKept: boolean,
  ) {
    const running = this.#running;
    if (running === undefined) return;
    const isOld = at.main <= running.before;
    if (at.isTombstone && at.main === running.before) return;
    if (isOld && !isKept && this.#keeps()) return;
    running.hash = crc32c(row.value, crc32c(row.key, running.hash));
  }

  finish(): void {
    if (this.#running === undefined) return;
    const { revision, before, hash } = this.#running;
    this.#running = undefined;
    const others = this.#finished.filter(({ hashRevision }) => hashRevision !== revision);
    this.#finished = [{ hash, compactRevision: before, hashRevision: revision }, ...others];
    this.#finished.length = Math.min(this.#finished.length, hashesMax);
  }

  /** Newest first. */
  all(): readonly HashKv[] {
    return this.#finished;
  }

  #keeps(): boolean {
    this.#knownToKeep ??= this.#keepsAny?.() ?? false;
    return this.#knownToKeep;
  }
}
