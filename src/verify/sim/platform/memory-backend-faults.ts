/**
 * Faults of the simulated backends. Each changes the content of the disk without the member's
 * knowledge, as a failing disk would. The caller draws which fault and when from its seed.
 */
import { copyBytes } from "../../../base/bytes.js";
import { DamageError } from "../../../base/errors.js";
import { invariant } from "../../../base/invariant.js";
import type { Sha256 } from "../../../platform/hash.js";
import { Bucket, type RowWrite } from "../../../platform/rows.js";
import { DigestSet } from "../../../state/digest.js";
import { encodeMeta, metaKey, readMeta } from "../../../state/meta.js";
import { openRow, sealRow } from "../../../state/rows.js";
import { decodeKeyValue, encodeKeyValue } from "../../../wire/key-value.js";
import type { MemoryBackendFile, StoreImage } from "./memory-backend-file.js";
import type { RowImage } from "./row-image.js";

/** At the end of each row: see rows.ts. */
const checkBytes = 4;

export class MemoryFaults {
  /** All backends report this much more than they hold. */
  extraBytes = 0;
  readonly #files: ReadonlyMap<string, MemoryBackendFile>;

  constructor(files: ReadonlyMap<string, MemoryBackendFile>) {
    this.#files = files;
  }

  /** The next commit that starts on this backend fails; none of it becomes durable. */
  failNextCommit(name: string, error: Error): void {
    this.#file(name).nextFailure = error;
  }

  /** Commits that have not begun will not fail, and sizes are right. */
  calm(): void {
    this.extraBytes = 0;
    for (const file of this.#files.values()) file.nextFailure = undefined;
  }

  /**
   * Flips one bit of a stored value, in every slot that shares the row; open backends see it at
   * once, as through a memory map. Returns the row's key, or undefined if there is no such bit.
   *
   * @param where `row`: position in byte order, modulo the rows; `bit`: modulo the value's bits
   */
  flipBit(
    name: string,
    where: { readonly bucket: Bucket; readonly row: number; readonly bit: number },
  ): Uint8Array | undefined {
    const file = this.#file(name);
    const found = rowAt(file.current, where.bucket, where.row);
    if (found === undefined || found.value.length === 0) return undefined;
    const value = copyBytes(found.value);
    const bit = where.bit % (value.length * 8);
    value[bit >>> 3] = (value[bit >>> 3] as number) ^ (1 << (bit & 7));
    const flip = (rows: RowImage) =>
      rows.get(where.bucket, found.key) === found.value
        ? rows.with([{ bucket: where.bucket, key: found.key, value }])
        : rows;
    file.former = flip(file.former);
    if (file.inFlight !== undefined) file.inFlight = flip(file.inFlight);
    file.current = flip(file.current);
    return found.key;
  }

  /**
   * A row's value appears under the key of the next row, as when a page was written to the wrong
   * place. Returns the key that was overwritten, or undefined if there are fewer than two rows.
   */
  misdirect(
    name: string,
    where: { readonly bucket: Bucket; readonly row: number },
  ): Uint8Array | undefined {
    const file = this.#file(name);
    const count = file.current.rowCount(where.bucket);
    if (count < 2) return undefined;
    const source = rowAt(file.current, where.bucket, where.row);
    const target = rowAt(file.current, where.bucket, where.row + 1);
    if (source === undefined || target === undefined) return undefined;
    const { value } = source;
    const write = [{ bucket: where.bucket, key: target.key, value }];
    file.current = file.current.with(write);
    file.former = file.former.with(write);
    return target.key;
  }

  /**
   * A row with a valid check value under a key that no entry wrote, next to that of another row
   * whose value it has. Returns the key, or undefined if the bucket is empty.
   */
  addRow(
    name: string,
    where: { readonly bucket: Bucket; readonly row: number },
  ): Uint8Array | undefined {
    const file = this.#file(name);
    const found = rowAt(file.current, where.bucket, where.row);
    if (found === undefined) return undefined;
    const key = copyBytes(found.key);
    const last = key.length - 1;
    do key[last] = ((key[last] as number) + 1) & 255;
    while (file.current.get(where.bucket, key) !== undefined);
    // An earlier fault may have made its own check value wrong.
    const value = sealRow(where.bucket, key, found.value.subarray(0, -checkBytes));
    this.#write(file, { bucket: where.bucket, key, value });
    return key;
  }

  /** Removes a row. Returns its key, or undefined if the bucket is empty. */
  loseRow(
    name: string,
    where: { readonly bucket: Bucket; readonly row: number },
  ): Uint8Array | undefined {
    const file = this.#file(name);
    const found = rowAt(file.current, where.bucket, where.row);
    if (found === undefined) return undefined;
    this.#write(file, { bucket: where.bucket, key: found.key, value: undefined });
    return found.key;
  }

  /**
   * A key has another value, with a valid check value, and the stored digests match it. Returns the
   * row's key, or undefined if that row holds no value, or is damaged already.
   */
  forgeRow(name: string, row: number, sha256: Sha256): Uint8Array | undefined {
    const file = this.#file(name);
    const found = rowAt(file.current, Bucket.key, row);
    if (found === undefined) return undefined;
    const { key } = found;
    const digests = new DigestSet(sha256);
    try {
      const right = openRow(Bucket.key, key, found.value);
      const kv = decodeKeyValue(right);
      const meta = readMeta(file.current, digests);
      if (meta === undefined || kv.value.length === 0) return undefined;
      const value = copyBytes(kv.value);
      value[0] = (value[0] as number) ^ 1;
      const wrong = encodeKeyValue({ ...kv, value });
      digests.subtract(Bucket.key, key, right);
      digests.add(Bucket.key, key, wrong);
      const sealed = sealRow(Bucket.meta, metaKey, encodeMeta(meta, digests));
      this.#write(file, { bucket: Bucket.key, key, value: sealRow(Bucket.key, key, wrong) });
      this.#write(file, { bucket: Bucket.meta, key: metaKey, value: sealed });
    } catch (error) {
      if (error instanceof DamageError) return undefined;
      throw error;
    }
    return key;
  }

  /** Replaces the row of bucket meta by the result of `change`, with a valid check value. */
  changeMeta(name: string, change: (meta: Uint8Array) => void): void {
    const file = this.#file(name);
    const stored = file.current.get(Bucket.meta, metaKey);
    if (stored === undefined) return;
    const meta = copyBytes(openRow(Bucket.meta, metaKey, stored));
    change(meta);
    this.#write(file, {
      bucket: Bucket.meta,
      key: metaKey,
      value: sealRow(Bucket.meta, metaKey, meta),
    });
  }

  /**
   * Loses the last completed commit: the disk acknowledged the meta page and did not keep it. Apply
   * it to a store made from an image, before `open`: a running system would still read the page
   * from its cache.
   */
  swapStale(name: string): void {
    const file = this.#file(name);
    file.current = file.former;
  }

  /**
   * The file is what it was in this image: somebody put an old backup back, or the disk went back.
   */
  putBack(name: string, image: StoreImage): void {
    const file = this.#file(name);
    const old = image.get(name);
    invariant(old !== undefined, "no such backend in the image", () => ({ name }));
    file.current = old.current;
    file.former = old.former;
  }

  #write(file: MemoryBackendFile, write: RowWrite): void {
    file.current = file.current.with([write]);
    file.former = file.former.with([write]);
  }

  #file(name: string): MemoryBackendFile {
    const file = this.#files.get(name);
    invariant(file !== undefined, "no such backend", () => ({ name }));
    return file;
  }
}

function rowAt(rows: RowImage, bucket: Bucket, row: number) {
  const count = rows.rowCount(bucket);
  if (count === 0) return undefined;
  let skip = row % count;
  let found: { readonly key: Uint8Array; readonly value: Uint8Array } | undefined;
  rows.scan(bucket, { from: new Uint8Array(0) }, (key, value) => {
    found = { key, value };
    skip -= 1;
    return skip >= 0;
  });
  return found;
}
