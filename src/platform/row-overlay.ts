/**
 * The small writes that a backend holds in memory until they are durable: for each bucket a map of
 * rows that can also be walked in byte order. Pure. Every backend uses it, so all of them merge
 * unsaved rows with stored ones in the same way. Rows are kept by reference, never copied.
 *
 * A key is indexed by its latin-1 text: one character for a byte, so texts compare as bytes do. The
 * order is sorted when a scan first needs it. Rows that arrive in ascending order (the key bucket:
 * a revision only grows) never need sorting.
 */

import { checkKey, keyText, type RowCursor, type RowLayer, type ScanRange } from "./row-layer.js";
import { type Bucket, bucketNames, type RowWrite } from "./rows.js";

export class RowOverlay implements RowLayer {
  readonly #buckets: readonly OverlayBucket[] = bucketNames.map(() => new OverlayBucket());
  #count = 0;

  get count(): number {
    return this.#count;
  }

  apply(rows: readonly RowWrite[]): void {
    for (const row of rows) checkKey(row.key);
    for (const row of rows) this.#bucket(row.bucket).set(row);
    this.#count += rows.length;
  }

  find(bucket: Bucket, text: string): RowWrite | undefined {
    return this.#bucket(bucket).rows.get(text);
  }

  isEmpty(bucket: Bucket): boolean {
    return this.#bucket(bucket).rows.size === 0;
  }

  *rows(): Iterable<RowWrite> {
    for (const bucket of this.#buckets) yield* bucket.rows.values();
  }

  cursor(bucket: Bucket, range: ScanRange): RowCursor {
    return this.#bucket(bucket).cursor(range);
  }

  #bucket(bucket: Bucket): OverlayBucket {
    return this.#buckets[bucket] as OverlayBucket;
  }
}

class OverlayBucket {
  readonly rows = new Map<string, RowWrite>();
  readonly #order: string[] = [];
  #isSorted = true;

  set(row: RowWrite): void {
    const text = keyText(row.key);
    const { size } = this.rows;
    this.rows.set(text, row);
    if (this.rows.size === size) return;
    const order = this.#order;
    if (this.#isSorted && size > 0 && (order[size - 1] as string) > text) this.#isSorted = false;
    order.push(text);
  }

  cursor(range: ScanRange): OverlayCursor {
    const order = this.#order;
    if (!this.#isSorted) {
      order.sort();
      this.#isSorted = true;
    }
    const first = lowerBound(order, keyText(range.from));
    const end = range.to === undefined ? order.length : lowerBound(order, keyText(range.to));
    if (range.reverse === true) return new OverlayCursor(this.rows, order, [end - 1, first - 1]);
    return new OverlayCursor(this.rows, order, [first, end]);
  }
}

class OverlayCursor implements RowCursor {
  readonly #rows: ReadonlyMap<string, RowWrite>;
  readonly #order: readonly string[];
  readonly #end: number;
  readonly #step: number;
  #at: number;

  /** Goes from `start` to just before `end`; downwards if end < start. */
  constructor(
    rows: ReadonlyMap<string, RowWrite>,
    order: readonly string[],
    [start, end]: readonly [number, number],
  ) {
    this.#rows = rows;
    this.#order = order;
    this.#at = start;
    this.#end = end;
    this.#step = end < start ? -1 : 1;
  }

  get text(): string | undefined {
    return this.#at === this.#end ? undefined : this.#order[this.#at];
  }

  get row(): RowWrite {
    return this.#rows.get(this.#order[this.#at] as string) as RowWrite;
  }

  advance(): void {
    this.#at += this.#step;
  }
}

function lowerBound(order: readonly string[], text: string): number {
  let low = 0;
  let high = order.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((order[middle] as string) < text) low = middle + 1;
    else high = middle;
  }
  return low;
}
