/**
 * Turns a frozen state into the bytes of etcd's backend file, for backups that etcd's own tools
 * read.
 *
 * Two passes go over the same view. `count` finds the size, which the first bytes of the file and
 * the first answer of the stream must name; then `next` gives the bytes. Both work in short slices.
 * They hold one slice, and some 30 bytes for each 4 KiB of the file.
 */
import { equalBytes } from "../base/bytes.js";
import { type FileLayout, FilePlan } from "../bbolt/layout.js";
import { FileWriter } from "../bbolt/writer.js";
import type { BackendReader } from "../platform/backend.js";
import type { Bucket } from "../platform/rows.js";
import { RowReader, valueBytes } from "../state/rows.js";
import { type ExportedRow, sharedBuckets, smallBuckets } from "./exported-rows.js";
import { bucketOrder, type EtcdBucket, utf8 } from "./schema.js";

/** A slice ends after this many rows, or this many bytes of them. */
const sliceRows = 500;
const sliceBytes = 128 * 1024;
/** How many pages of branches a slice makes: each has some 120 children. */
const slicePages = 8;
/** `next` gives at least this many bytes, until the end. */
const pieceBytes = 64 * 1024;
const nothing = new Uint8Array(0);

export class SnapshotFile {
  readonly #view: BackendReader;
  readonly #rows: RowReader;
  readonly #small: ReturnType<typeof smallBuckets>;
  readonly #counting: Generator<void, FileLayout>;
  #giving: Generator<Uint8Array, void> | undefined;

  /** @throws DamageError */
  constructor(view: BackendReader) {
    this.#view = view;
    this.#rows = new RowReader(view);
    this.#small = smallBuckets(view);
    this.#counting = this.#countRows();
  }

  /** Counts one slice. Returns the size of the file in bytes. Undefined: call it again. */
  count(): number | undefined {
    const step = this.#counting.next();
    if (step.done !== true) return undefined;
    this.#giving = this.#givePages(step.value);
    return step.value.totalBytes;
  }

  /**
   * The next bytes. Call after `count` has given the size. Undefined: that was all. @throws
   * DamageError
   */
  next(): Uint8Array | undefined {
    const parts: Uint8Array[] = [];
    let bytes = 0;
    for (let step = this.#giving?.next(); step?.done === false; step = this.#giving?.next()) {
      parts.push(step.value);
      bytes += step.value.length;
      if (bytes >= pieceBytes) break;
    }
    return bytes === 0 ? undefined : Buffer.concat(parts);
  }

  *#countRows(): Generator<void, FileLayout> {
    const plan = new FilePlan();
    for (const name of bucketOrder) {
      plan.begin(utf8(name));
      const shared = sharedBuckets.get(name);
      if (shared !== undefined) yield* this.#countShared(plan, shared);
      for (const { key, value } of this.#small.get(name) ?? []) plan.add(key.length, value.length);
      plan.end();
    }
    return plan.finish();
  }

  /** Only sizes are needed here. `next` verifies each row before it gives it out. */
  *#countShared(plan: FilePlan, bucket: Bucket): Generator<void> {
    let last: Uint8Array | undefined;
    for (;;) {
      const from = last ?? nothing;
      let left = sliceRows;
      let next: Uint8Array | undefined;
      this.#view.scan(bucket, { from }, (key, stored) => {
        if (left-- === 0) {
          next = key;
          return false;
        }
        plan.add(key.length, valueBytes(stored));
        return true;
      });
      if (next === undefined) return;
      last = next;
      yield;
    }
  }

  *#givePages(layout: FileLayout): Generator<Uint8Array, void> {
    const writer = new FileWriter(layout);
    yield writer.head();
    for (const [place, name] of bucketOrder.entries()) {
      const bucket = writer.bucket(place);
      for (const rows of this.#slices(name)) {
        const pages: Uint8Array[] = [];
        for (const { key, value } of rows) {
          const page = bucket.add(key, value);
          if (page !== undefined) pages.push(page);
        }
        if (pages.length > 0) yield Buffer.concat(pages);
      }
      let branches: Uint8Array[] = [];
      for (const page of bucket.branches()) {
        branches.push(page);
        if (branches.length < slicePages) continue;
        yield Buffer.concat(branches);
        branches = [];
      }
      if (branches.length > 0) yield Buffer.concat(branches);
    }
    yield writer.tail();
  }

  /** The rows of a bucket, a slice at a time. */
  *#slices(name: EtcdBucket): Generator<readonly ExportedRow[]> {
    const shared = sharedBuckets.get(name);
    if (shared === undefined) {
      yield this.#small.get(name) ?? [];
      return;
    }
    let last: Uint8Array | undefined;
    for (;;) {
      const rows = readSlice(this.#rows, shared, last);
      last = rows.at(-1)?.key;
      if (last === undefined) return;
      yield rows;
    }
  }
}

/** Reads the rows after the key `last`. Empty: there are none. */
function readSlice(
  reader: BackendReader,
  bucket: Bucket,
  last: Uint8Array | undefined,
): readonly ExportedRow[] {
  const rows: ExportedRow[] = [];
  let bytes = 0;
  reader.scan(bucket, { from: last ?? nothing }, (key, value) => {
    if (last !== undefined && equalBytes(key, last)) return true;
    rows.push({ key, value });
    bytes += value.length;
    return rows.length < sliceRows && bytes < sliceBytes;
  });
  return rows;
}
