/**
 * A piece of a state on its way to another member or into a file: rows in bucket and key order
 * under a CRC-32C, with the place where the next piece begins. The layout is in docs/formats.md.
 * The sender keeps no state: a receiver that lost a piece asks for the same cursor again.
 */
import { compareBytes, copyBytes } from "../base/bytes.js";
import { crc32c } from "../base/crc32c.js";
import type { BackendReader } from "../platform/backend.js";
import { Bucket, type RowWrite } from "../platform/rows.js";

/** Where a piece begins: the first row at or after this place. */
export interface Cursor {
  readonly bucket: number;
  readonly key: Uint8Array;
}
export interface RowChunk {
  readonly rows: readonly RowWrite[];
  /** Undefined: this was the last piece. */
  readonly next: Cursor | undefined;
}

export const firstCursor: Cursor = { bucket: 0, key: new Uint8Array(0) };
const bucketCount = Object.keys(Bucket).length;
const rowHeadBytes = 7;

/**
 * Reads rows from `cursor` on, about `bytesMax` bytes of them, and at least one row if any is left.
 */
export function readChunk(reader: BackendReader, cursor: Cursor, bytesMax: number): RowChunk {
  const rows: RowWrite[] = [];
  let bytes = 0;
  let next: Cursor | undefined;
  for (let bucket = cursor.bucket; bucket < bucketCount && next === undefined; bucket++) {
    const from = bucket === cursor.bucket ? cursor.key : firstCursor.key;
    reader.scan(bucket as Bucket, { from }, (key, value) => {
      if (bytes >= bytesMax) {
        next = { bucket, key };
        return false;
      }
      rows.push({ bucket: bucket as Bucket, key, value });
      bytes += rowHeadBytes + key.length + value.length;
      return true;
    });
  }
  return { rows, next };
}

/** The bucket's number (1 byte), then the key. */
export function encodeCursor(cursor: Cursor): Uint8Array {
  const bytes = new Uint8Array(1 + cursor.key.length);
  bytes[0] = cursor.bucket;
  bytes.set(cursor.key, 1);
  return bytes;
}

/** Undefined: the bytes are no cursor. */
export function decodeCursor(bytes: Uint8Array): Cursor | undefined {
  const bucket = bytes[0];
  if (bucket === undefined || bucket >= bucketCount) return undefined;
  return { bucket, key: bytes.subarray(1) };
}

/** Encodes a piece with its CRC-32C in front. Layout: docs/formats.md. */
export function encodeChunk(chunk: RowChunk): Uint8Array {
  const nextKey = chunk.next?.key ?? firstCursor.key;
  let size = 4 + 4 + nextKey.length;
  for (const row of chunk.rows) size += rowHeadBytes + row.key.length + (row.value?.length ?? 0);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  bytes[4] = chunk.next === undefined ? 0 : 1;
  bytes[5] = chunk.next?.bucket ?? 0;
  view.setUint16(6, nextKey.length, true);
  bytes.set(nextKey, 8);
  let at = 8 + nextKey.length;
  for (const row of chunk.rows) {
    const value = row.value ?? firstCursor.key;
    bytes[at] = row.bucket;
    view.setUint16(at + 1, row.key.length, true);
    view.setUint32(at + 3, value.length, true);
    bytes.set(row.key, at + rowHeadBytes);
    bytes.set(value, at + rowHeadBytes + row.key.length);
    at += rowHeadBytes + row.key.length + value.length;
  }
  view.setUint32(0, crc32c(bytes.subarray(4)), true);
  return bytes;
}

/** Undefined: the bytes are damaged or no chunk. The rows are in strictly ascending order. */
export function decodeChunk(bytes: Uint8Array): RowChunk | undefined {
  if (bytes.length < 8) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(0, true) !== crc32c(bytes.subarray(4))) return undefined;
  const nextEnd = 8 + view.getUint16(6, true);
  const rows: RowWrite[] = [];
  let at = nextEnd;
  while (at + rowHeadBytes <= bytes.length) {
    const bucket = bytes[at] as number;
    const keyEnd = at + rowHeadBytes + view.getUint16(at + 1, true);
    const end = keyEnd + view.getUint32(at + 3, true);
    if (bucket >= bucketCount || end > bytes.length) return undefined;
    const row = {
      bucket: bucket as Bucket,
      key: copyBytes(bytes.subarray(at + rowHeadBytes, keyEnd)),
      value: copyBytes(bytes.subarray(keyEnd, end)),
    };
    const before = rows.at(-1);
    if (before !== undefined && !isBefore(before, row)) return undefined;
    rows.push(row);
    at = end;
  }
  if (at !== bytes.length) return undefined;
  const next =
    bytes[4] === 1
      ? { bucket: bytes[5] as number, key: copyBytes(bytes.subarray(8, nextEnd)) }
      : undefined;
  return { rows, next };
}

function isBefore(a: RowWrite, b: RowWrite): boolean {
  return a.bucket < b.bucket || (a.bucket === b.bucket && compareBytes(a.key, b.key) < 0);
}
