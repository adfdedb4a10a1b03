/**
 * Turns a frozen state into the bytes of etcd's backend file, for backups that etcd's own tools
 * read.
 *
 * Two passes go over the same view. `count` finds the size, which the first bytes of the file and
 * the first answer of the stream must name; then `next` gives the bytes. Both work in short slices.
 * They hold one slice, and some 30 bytes for each 4 KiB of the file.
 */
import { copyBytes } from "../base/bytes.js";
import { type FileLayout, FilePlan } from "../bbolt/layout.js";
import { type BucketWriter, FileWriter, joinPages } from "../bbolt/writer.js";
import type { BackendReader } from "../platform/backend.js";
import type { Bucket } from "../platform/rows.js";
import { RowReader, valueBytes } from "../state/rows.js";
import { type ExportedRow, sharedBuckets, smallBuckets } from "./exported-rows.js";
import { bucketOrder, utf8 } from "./schema.js";

/** A slice ends after this many rows, or this many bytes of pages. */
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
  #giving: Generator<readonly Uint8Array[], void> | undefined;

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
    const pages: Uint8Array[] = [];
    let bytes = 0;
    for (let step = this.#giving?.next(); step?.done === false; step = this.#giving?.next()) {
      for (const page of step.value) {
        pages.push(page);
        bytes += page.length;
      }
      if (bytes >= pieceBytes) break;
    }
    return bytes === 0 ? undefined : joinPages(pages);
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
      this.#view.scan(bucket, { from, isLent: true }, (key, stored) => {
        if (left-- === 0) {
          next = copyBytes(key);
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

  /** The pages of the file, a slice at a time. */
  *#givePages(layout: FileLayout): Generator<readonly Uint8Array[], void> {
    const writer = new FileWriter(layout);
    yield [writer.head()];
    for (const [place, name] of bucketOrder.entries()) {
      const bucket = writer.bucket(place);
      const shared = sharedBuckets.get(name);
      if (shared !== undefined) yield* this.#leaves(shared, bucket);
      else yield leavesOf(this.#small.get(name) ?? [], bucket);
      let branches: Uint8Array[] = [];
      for (const page of bucket.branches()) {
        branches.push(page);
        if (branches.length < slicePages) continue;
        yield branches;
        branches = [];
      }
      yield branches;
    }
    yield [writer.tail()];
  }

  *#leaves(bucket: Bucket, into: BucketWriter): Generator<readonly Uint8Array[], void> {
    let from: Uint8Array | undefined = nothing;
    while (from !== undefined) {
      const pages: Uint8Array[] = [];
      let next: Uint8Array | undefined;
      let rows = 0;
      let bytes = 0;
      this.#rows.scan(bucket, { from, isLent: true }, (key, value) => {
        if (rows++ === sliceRows || bytes >= sliceBytes) {
          next = copyBytes(key);
          return false;
        }
        const page = into.add(key, value);
        if (page !== undefined) pages.push(page);
        bytes += page?.length ?? 0;
        return true;
      });
      yield pages;
      from = next;
    }
  }
}

function leavesOf(rows: readonly ExportedRow[], into: BucketWriter): readonly Uint8Array[] {
  return rows.flatMap(({ key, value }) => into.add(key, value) ?? []);
}
