/** The write-ahead log as its users see it (wal.ts makes one). */
import type { Entry, HardState, SnapshotMeta } from "../raft/types.js";
import type { SegmentName } from "./segments.js";

export interface WalOptions {
  /** Folder below the data directory. */
  readonly dir: string;
  /** Preallocated bytes of a segment. A larger flush makes a larger segment. */
  readonly segmentBytes: number;
}

export interface WalBatch {
  readonly hardState: HardState | undefined;
  /** Continue the log without a gap. An index already present replaces the tail from there. */
  readonly entries: readonly Entry[];
  /** The log starts again after this state. It is written before `entries`. */
  readonly snapshot: SnapshotMeta | undefined;
  /**
   * False: the batch needs no sync of its own. Its bytes are written with the next batch that needs
   * one. If a sync runs now, `done` is called when that has ended, else with that next batch.
   */
  readonly mustSync: boolean;
}

/** The files of a log as its writer knows them. */
export interface WalExtent {
  readonly dir: string;
  /** Oldest first. All but the last are durable and change no more. */
  readonly segments: readonly SegmentName[];
  /** The durable part of the last segment: whole records up to `offset`, then this chain value. */
  readonly durable: { readonly offset: number; readonly chain: number };
}

export interface Wal {
  /**
   * Calls `done` once, never inside this call, when the batch is durable. After a failure it is
   * never called. A failure to write calls `onFailure` inside this call.
   */
  append(batch: WalBatch, done: () => void): void;
  /** True when everything appended that must be durable is durable. */
  isIdle(): boolean;
  /**
   * Marks that entries up to here are no longer needed. Calls `done` when the mark is durable;
   * `purge` may follow then. Does nothing, and calls nothing, if the log already begins later.
   */
  saveSnapshot(meta: SnapshotMeta, done: () => void): void;
  /**
   * Adds a note of the caller about what was appended before. When no sync runs, at once or later,
   * it calls `make`, writes the returned bytes (undefined: none) to the file, and calls `written`,
   * all in one turn. After a failure neither is called. The note is durable with the next batch.
   */
  note(make: () => Uint8Array | undefined, written: () => void): void;
  /** Removes whole segments whose entries are all <= `index`, oldest first. The last one stays. */
  purge(index: number): void;
  /** Calls `fn` once, when the disk failed. The member must stop then. */
  onFailure(fn: (error: Error) => void): void;
  stats(): { readonly syncs: number; readonly bytes: number };
  /** What another reader may expect to find on the disk now. */
  extent(): WalExtent;
  close(): void;
}
