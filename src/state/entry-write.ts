/**
 * The write handle of one entry. It gathers the entry's rows, keeps the digests in step, and hands
 * everything to the backend in one write. Reads see the entry's own writes. A handle that is not
 * committed changes nothing except the digests that it was given.
 *
 * The first rows are in a list. From `packedFrom` rows on, those of the key space, or of users, are
 * packed into a run (row-run.ts), which the backend takes over as it is. So closing the handle costs the same for
 * any number of rows.
 */
import type { Backend } from "../platform/backend.js";
import { RowRun } from "../platform/row-run.js";
import { Bucket, type RowWrite } from "../platform/rows.js";
import type { DigestSet } from "./digest.js";
import { openRow, sealRow } from "./rows.js";
import type { WriteHandle } from "./types.js";

/** With more rows than this, a map is faster than a search of the list. */
const listMax = 8;
/** The buckets of which one entry may change very many rows. */
const packedBuckets: ReadonlySet<Bucket> = new Set([Bucket.key, Bucket.authUsers]);
const latin1Slice = Buffer.prototype.latin1Slice;

type RowStore = Pick<Backend, "get" | "write">;

export class EntryWrite implements WriteHandle {
  readonly #backend: RowStore;
  readonly #digests: DigestSet;
  readonly #rows: RowWrite[] = [];
  readonly #packedFrom: number;
  /** The last position in #rows of each written row, by bucket and key. */
  #places: Map<string, number> | undefined;
  /** Later rows of one bucket. None of their keys is in #rows. */
  #run: RowRun | undefined;

  constructor(backend: RowStore, digests: DigestSet, packedFrom = Number.MAX_SAFE_INTEGER) {
    this.#backend = backend;
    this.#digests = digests;
    this.#packedFrom = packedFrom;
  }

  /** True while nothing was written. */
  get isEmpty(): boolean {
    return this.#rows.length === 0;
  }

  get(bucket: Bucket, key: Uint8Array): Uint8Array | undefined {
    const place = this.#place(bucket, key);
    const own = place < 0 ? this.#run?.get(bucket, key) : this.#rows[place];
    const stored = own === undefined ? this.#backend.get(bucket, key) : own.value;
    return stored === undefined ? undefined : openRow(bucket, key, stored);
  }

  put(bucket: Bucket, key: Uint8Array, value: Uint8Array): void {
    const old = this.get(bucket, key);
    if (old !== undefined) this.#digests.subtract(bucket, key, old);
    this.#digests.add(bucket, key, value);
    this.#push({ bucket, key, value: sealRow(bucket, key, value) });
  }

  /** Writes a row that cannot exist yet: saves looking for it. */
  putNew(bucket: Bucket, key: Uint8Array, value: Uint8Array): void {
    this.#digests.add(bucket, key, value);
    const row = { bucket, key, value: sealRow(bucket, key, value) };
    if (!this.#pack(row)) this.#append(row);
  }

  delete(bucket: Bucket, key: Uint8Array): void {
    const old = this.get(bucket, key);
    if (old !== undefined) this.deleteKnown(bucket, key, old);
  }

  /** Deletes a row that was just read: `value` is its content. */
  deleteKnown(bucket: Bucket, key: Uint8Array, value: Uint8Array): void {
    this.#digests.subtract(bucket, key, value);
    this.#push({ bucket, key, value: undefined });
  }

  /** Closes the handle with the meta row, which identifies this state. */
  commit(metaKey: Uint8Array, meta: Uint8Array): void {
    const value = sealRow(Bucket.meta, metaKey, meta);
    this.#rows.push({ bucket: Bucket.meta, key: metaKey, value });
    this.#backend.write(this.#rows, this.#run);
  }

  #push(row: RowWrite): void {
    // Reads look into the list first, so a row that stands there must be overwritten there.
    const isListed = this.#rows.length < this.#packedFrom || this.#place(row.bucket, row.key) >= 0;
    if (isListed || !this.#pack(row)) this.#append(row);
  }

  #append(row: RowWrite): void {
    this.#places?.set(placeKey(row.bucket, row.key), this.#rows.length);
    this.#rows.push(row);
  }

  /**
   * Adds the row to the run. Returns false if the row belongs into the list, because of its bucket,
   * or because its key is not above those of the run.
   */
  #pack({ bucket, key, value }: RowWrite): boolean {
    if (!packedBuckets.has(bucket) || this.#rows.length < this.#packedFrom) return false;
    this.#run ??= new RowRun(bucket);
    return this.#run.bucket === bucket && this.#run.add(key, value);
  }

  /** -1: the list has no row with this key. */
  #place(bucket: Bucket, key: Uint8Array): number {
    const rows = this.#rows;
    if (rows.length > listMax) {
      this.#places ??= new Map(rows.map((row, place) => [placeKey(row.bucket, row.key), place]));
      return this.#places.get(placeKey(bucket, key)) ?? -1;
    }
    for (let place = rows.length - 1; place >= 0; place--) {
      const row = rows[place] as RowWrite;
      if (row.bucket === bucket && isSame(row.key, key)) return place;
    }
    return -1;
  }
}

function placeKey(bucket: Bucket, key: Uint8Array): string {
  return bucket + latin1Slice.call(key as Buffer, 0, key.length);
}

/** Compares from the end, because revisions differ there first. */
function isSame(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let at = a.length - 1; at >= 0; at--) if (a[at] !== b[at]) return false;
  return true;
}
