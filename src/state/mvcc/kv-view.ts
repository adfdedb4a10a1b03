/** The key space as ranges and transactions read it: applied state, or the inside of an entry. */
import type { KvBytes } from "../types.js";
import type { KeyHistory, KeyIndex, KeyRange, KeyText } from "./key-index.js";

/** What a range reads from. */
export interface KvView {
  readonly index: KeyIndex;
  /** The newest revision that can be read here. */
  readonly revision: number;
  /** -1: nothing was compacted yet. */
  readonly compactRevision: number;
  /** The KeyValue at a place of a key's history. */
  row(history: KeyHistory, place: number): KvBytes;
  /**
   * The KeyValue of this revision, which is still there. In a range for a client it may be one that
   * was read a little before (row-cache.ts).
   */
  rowAt(main: number, sub: number): KvBytes;
  /** The lease of a key's newest version; 0n: none. */
  leaseOf(key: KeyText): bigint;
  /** The number of keys of a range alive at `revision`, if it is known without visiting them. */
  countAlive(range: KeyRange): number | undefined;
}
