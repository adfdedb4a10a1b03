/**
 * Row keys of bucket key, as etcd's: main revision (8 bytes, big-endian), "_", sub revision (8
 * bytes), and for a tombstone a trailing "t". Byte order is revision order.
 */
import { cutBytes } from "../../base/slab.js";

export interface RowRevision {
  readonly main: number;
  readonly sub: number;
  readonly isTombstone: boolean;
}

const rowBytes = 17;
const separator = 0x5f;
const tombstoneMark = 0x74;

/** The row key of a revision: 17 bytes, and one more for a tombstone. */
export function encodeRevision(main: number, sub: number, isTombstone: boolean): Uint8Array {
  const bytes = cutBytes(isTombstone ? rowBytes + 1 : rowBytes);
  writeSafe(bytes, 0, main);
  bytes[8] = separator;
  writeSafe(bytes, 9, sub);
  if (isTombstone) bytes[rowBytes] = tombstoneMark;
  return bytes;
}

/** Reads what `encodeRevision` wrote. Does not check the form. */
export function decodeRevision(key: Uint8Array): RowRevision {
  return {
    main: readSafe(key, 0),
    sub: readSafe(key, 9),
    isTombstone: key.length > rowBytes,
  };
}

/** The lower end of all rows of main revision `main`. */
export function revisionStart(main: number): Uint8Array {
  return encodeRevision(main, 0, false);
}

function writeSafe(bytes: Uint8Array, at: number, value: number): void {
  const high = Math.floor(value / 0x1_0000_0000);
  bytes[at] = high >>> 24;
  bytes[at + 1] = high >>> 16;
  bytes[at + 2] = high >>> 8;
  bytes[at + 3] = high;
  bytes[at + 4] = value >>> 24;
  bytes[at + 5] = value >>> 16;
  bytes[at + 6] = value >>> 8;
  bytes[at + 7] = value;
}

function readSafe(bytes: Uint8Array, at: number): number {
  const high = readU32(bytes, at);
  return high * 0x1_0000_0000 + readU32(bytes, at + 4);
}

function readU32(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)) >>>
    0
  );
}
