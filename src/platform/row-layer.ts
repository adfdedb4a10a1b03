/**
 * The layers above the stored rows of a backend: writes that are not durable yet. A layer is one
 * overlay of small writes (row-overlay.ts) or the rows of one large write (row-run.ts).
 */
import { invariant } from "../base/invariant.js";
import type { Bucket, RowWrite } from "./rows.js";

/** LMDB's limit in bytes at its default page size. All backends keep it. */
const keyBytesMax = 511;

export interface ScanRange {
  readonly from: Uint8Array;
  readonly to?: Uint8Array | undefined;
  readonly reverse?: boolean;
  readonly isLent?: boolean;
}
export type RowVisit = (key: Uint8Array, value: Uint8Array) => boolean;

export interface RowLayer {
  /** The number of written rows. An overwritten one counts again. */
  readonly count: number;
  /** The latest write of this key; its value is undefined if it was deleted here. */
  find(bucket: Bucket, text: string): RowWrite | undefined;
  isEmpty(bucket: Bucket): boolean;
  /** The last write of each key, in no particular order. */
  rows(): Iterable<RowWrite>;
  cursor(bucket: Bucket, range: ScanRange): RowCursor;
}

/** Walks one layer's rows of one range, deletions included. Invalid after the next write. */
export interface RowCursor {
  /** The current row's key; undefined at the end. */
  readonly text: string | undefined;
  readonly row: RowWrite;
  advance(): void;
}

const latin1Slice = Buffer.prototype.latin1Slice;

/** The text of a key. Texts compare with `<` as the bytes do. */
export function keyText(key: Uint8Array): string {
  return latin1Slice.call(key as Buffer, 0, key.length);
}

/** Checks the key of every write, so that a bad key is refused before it can fail a commit. */
export function checkKey(key: Uint8Array): void {
  invariant(key.length >= 1 && key.length <= keyBytesMax, "row key out of bounds", () => ({
    length: key.length,
  }));
}
