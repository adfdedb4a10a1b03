/**
 * The stored form of a row: its value, then a check value bound to bucket and key. Every read
 * verifies it, so a flipped bit, or a row under a wrong key, is never answered. It is not part of
 * digests, HashKV or what clients see.
 */

import { crc32c, crc32cCarry } from "../base/crc32c.js";
import { DamageError, rebuildAdvice } from "../base/errors.js";
import { cutBytes } from "../base/slab.js";
import type { BackendReader } from "../platform/backend.js";
import { type Bucket, bucketNames } from "../platform/rows.js";
import type { Work } from "./work.js";

const checkBytes = 4;

/** The checksums of all heads (bucket id, key length) that were needed so far. */
const headCrcs = bucketNames.map((): (number | undefined)[] => []);

/**
 * The check value of a row: CRC-32C over bucket id (1 byte), key length (2, little-endian), key,
 * value.
 */
function checkValue(
  bucket: Bucket,
  key: Uint8Array,
  value: Uint8Array,
  end = value.length,
): number {
  return crc32c(value, crc32c(key, headCrc(bucket, key.length)), end);
}

function headCrc(bucket: Bucket, keyBytes: number): number {
  const known = headCrcs[bucket] as (number | undefined)[];
  known[keyBytes] ??= crc32c(Uint8Array.of(bucket, keyBytes & 255, keyBytes >>> 8));
  return known[keyBytes];
}

/** A row as it was read, with its check value, which was verified. */
export interface SoundRow {
  readonly bucket: Bucket;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly check: number;
}

/**
 * Computes crc32c(value, crc32c(key, seed)) of a row. The row's check value covers the same bytes,
 * so they are not read again.
 */
export function rowCrc({ bucket, key, value, check }: SoundRow, seed: number): number {
  const difference = headCrc(bucket, key.length) ^ seed;
  return (check ^ crc32cCarry(difference, key.length + value.length)) >>> 0;
}

/** The stored form of a row: the value, then its check value (4 bytes, little-endian). */
export function sealRow(bucket: Bucket, key: Uint8Array, value: Uint8Array): Uint8Array {
  const stored = cutBytes(value.length + checkBytes);
  stored.set(value);
  const check = checkValue(bucket, key, value);
  stored[value.length] = check;
  stored[value.length + 1] = check >>> 8;
  stored[value.length + 2] = check >>> 16;
  stored[value.length + 3] = check >>> 24;
  return stored;
}

/** @throws DamageError when the row is not the one written under this key */
export function openRow(bucket: Bucket, key: Uint8Array, stored: Uint8Array): Uint8Array {
  verifyRow(bucket, key, stored);
  return stored.subarray(0, stored.length - checkBytes);
}

/** Returns the check value. @throws DamageError when the row is not the one written under this key */
function verifyRow(bucket: Bucket, key: Uint8Array, stored: Uint8Array): number {
  const end = stored.length - checkBytes;
  if (end >= 0) {
    const check = storedCheck(stored);
    if (check === checkValue(bucket, key, stored, end)) return check;
  }
  const shown = Array.from(key, (byte) => byte.toString(16).padStart(2, "0")).join("");
  throw new DamageError({
    finding: `a row of bucket "${bucketNames[bucket]}" fails its check value (key ${shown}): the backend is damaged`,
    advice: rebuildAdvice,
  });
}

/** The number of bytes of a row's value, from its stored form. */
export function valueBytes(stored: Uint8Array): number {
  return Math.max(0, stored.length - checkBytes);
}

function storedCheck(stored: Uint8Array): number {
  const at = stored.length - checkBytes;
  return (
    ((stored[at] as number) |
      ((stored[at + 1] as number) << 8) |
      ((stored[at + 2] as number) << 16) |
      ((stored[at + 3] as number) << 24)) >>>
    0
  );
}

/**
 * Reads the rows of another reader without their check values. Verifies each. @throws DamageError
 */
export class RowReader implements BackendReader {
  readonly #backend: BackendReader;

  constructor(backend: BackendReader) {
    this.#backend = backend;
  }

  get(bucket: Bucket, key: Uint8Array): Uint8Array | undefined {
    const stored = this.#backend.get(bucket, key);
    return stored === undefined ? undefined : openRow(bucket, key, stored);
  }

  scan(
    bucket: Bucket,
    range: Parameters<BackendReader["scan"]>[1],
    visit: (key: Uint8Array, value: Uint8Array, check: number) => boolean,
  ): void {
    const lent = range.isLent === true ? new LentValues() : undefined;
    this.#backend.scan(bucket, range, (key, stored) => {
      const check = verifyRow(bucket, key, stored);
      const value = lent?.of(stored) ?? stored.subarray(0, stored.length - checkBytes);
      return visit(key, value, check);
    });
  }
}

/** Longer rows get a view of their own each time. */
const keptBytesMax = 4096;

/**
 * The values of the lent rows of one scan. A backend lends rows of one length by the same array again
 * and again, and making a view of it costs as much as reading it.
 */
class LentValues {
  readonly #byLength: (LentValue | undefined)[] = [];

  of(stored: Uint8Array): Uint8Array {
    const { length } = stored;
    const known = this.#byLength[length];
    if (known?.stored === stored) return known.value;
    const value = stored.subarray(0, length - checkBytes);
    if (length < keptBytesMax) this.#byLength[length] = { stored, value };
    return value;
  }
}

interface LentValue {
  readonly stored: Uint8Array;
  readonly value: Uint8Array;
}

const firstKey = new Uint8Array(0);

/**
 * Visits all rows of a bucket in ascending order, with pauses in which the bucket must not change. A
 * row costs one unit and one more for each KiB. `visit` must keep no bytes, and not read `reader`.
 * @throws what `reader` and `visit` throw
 */
export function* scanInSlices(
  reader: BackendReader,
  { bucket, work }: { readonly bucket: Bucket; readonly work: Work },
  visit: (key: Uint8Array, value: Uint8Array) => void,
): Generator<undefined, void> {
  let from = firstKey;
  for (;;) {
    let isOver = true;
    reader.scan(bucket, { from, isLent: true }, (key, value) => {
      visit(key, value);
      if (!work.spend(1 + value.length / 1024)) return true;
      isOver = false;
      // The smallest key behind this one.
      from = new Uint8Array(key.length + 1);
      from.set(key);
      return false;
    });
    if (isOver) return;
    yield;
  }
}
