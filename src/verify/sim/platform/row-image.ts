/**
 * One immutable state of all buckets, sorted. A changed state shares its unchanged parts
 * (sorted-btree's copy on write), so the simulator can keep many states of a large store.
 */
import sortedBtree from "sorted-btree";
import { copyBytes } from "../../../base/bytes.js";
import { keyText, type RowVisit, type ScanRange } from "../../../platform/row-layer.js";
import { type Bucket, bucketNames, type RowWrite } from "../../../platform/rows.js";

/** Present under Node's view of the package, whose CommonJS export holds the class as `default`. */
const Tree = sortedBtree.default ?? sortedBtree;
interface Row {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}
type Rows = InstanceType<typeof Tree<string, Row>>;

const pageBytes = 4096;
const metaBytes = 2 * pageBytes;
/** Bytes that LMDB itself needs for each row, approximately. */
const rowOverheadBytes = 16;

export class RowImage {
  readonly #buckets: readonly Rows[];
  readonly #rowBytes: number;

  constructor(buckets: readonly Rows[], rowBytes: number) {
    this.#buckets = buckets;
    this.#rowBytes = rowBytes;
  }

  /** The size of a file with these rows, in whole pages. */
  get bytes(): number {
    return metaBytes + Math.ceil(this.#rowBytes / pageBytes) * pageBytes;
  }

  get(bucket: Bucket, key: Uint8Array): Uint8Array | undefined {
    return this.#rows(bucket).get(keyText(key))?.value;
  }

  scan(bucket: Bucket, range: ScanRange, visitor: RowVisit): void {
    const visit = range.isLent === true ? lending(visitor) : visitor;
    const rows = this.#rows(bucket);
    const from = keyText(range.from);
    const to = range.to === undefined ? undefined : keyText(range.to);
    if (to !== undefined && from >= to) return;
    if (range.reverse === true) {
      for (const [text, row] of rows.entriesReversed(to, undefined, to !== undefined)) {
        if (text < from || !visit(row.key, row.value)) return;
      }
      return;
    }
    for (const [text, row] of rows.entries(from)) {
      if ((to !== undefined && text >= to) || !visit(row.key, row.value)) return;
    }
  }

  /** The state after these writes; this one does not change. */
  with(writes: Iterable<RowWrite>): RowImage {
    const buckets = this.#buckets.map((rows) => rows.clone());
    let bytes = this.#rowBytes;
    for (const { bucket, key, value } of writes) {
      const rows = buckets[bucket] as Rows;
      const text = keyText(key);
      bytes += rowBytes(key, value) - rowBytes(key, rows.get(text)?.value);
      if (value === undefined) rows.delete(text);
      else rows.set(text, { key, value });
    }
    return new RowImage(buckets, bytes);
  }

  rowCount(bucket: Bucket): number {
    return this.#rows(bucket).size;
  }

  #rows(bucket: Bucket): Rows {
    return this.#buckets[bucket] as Rows;
  }
}

/** The image of a backend without rows. */
export const emptyRows = new RowImage(
  bucketNames.map(() => new Tree<string, Row>()),
  0,
);

/** Lends copies and then fills them, so that a visitor that keeps them is found out. */
function lending(visit: RowVisit): RowVisit {
  return (key, value) => {
    const lent = [copyBytes(key), copyBytes(value)] as const;
    const isWanted = visit(...lent);
    for (const bytes of lent) bytes.fill(0xa5);
    return isWanted;
  };
}

function rowBytes(key: Uint8Array, value: Uint8Array | undefined): number {
  return value === undefined ? 0 : key.length + value.length + rowOverheadBytes;
}
