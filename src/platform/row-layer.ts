/**
 * What lies above the stored rows of a backend: writes that are not durable yet, in layers. A layer
 * is one overlay of small writes (row-overlay.ts) or the rows of one large write (row-run.ts).
 */
import { invariant } from "../base/invariant.js";
import type { Bucket, RowWrite } from "./rows.js";

/** LMDB's limit at its default page size, kept by all backends. */
const keyBytesMax = 511;

export interface ScanRange {
  readonly from: Uint8Array;
  readonly to?: Uint8Array | undefined;
  readonly reverse?: boolean;
}
export type RowVisit = (key: Uint8Array, value: Uint8Array) => boolean;

export interface RowLayer {
  /** Rows that were written, an overwritten one counted again. */
  readonly count: number;
  /** The latest write of this key; its value is undefined if it was deleted here. */
  find(bucket: Bucket, text: string): RowWrite | undefined;
  isEmpty(bucket: Bucket): boolean;
  /** The last write of each key, in no particular order. */
  rows(): Iterable<RowWrite>;
  cursor(bucket: Bucket, range: ScanRange): RowCursor;
}

/** Walks one layer's rows of one range, deletions included. Invalid after the next write to it. */
export interface RowCursor {
  /** The current row's key, or undefined at the end. */
  readonly text: string | undefined;
  readonly row: RowWrite;
  advance(): void;
}

const latin1Slice = Buffer.prototype.latin1Slice;

/** Compares with `<` as the bytes compare. */
export function keyText(key: Uint8Array): string {
  return latin1Slice.call(key as Buffer, 0, key.length);
}

/** Every write passes here, so that a bad key is refused before it can spoil a commit. */
export function checkKey(key: Uint8Array): void {
  invariant(key.length >= 1 && key.length <= keyBytesMax, "row key out of bounds", () => ({
    length: key.length,
  }));
}
