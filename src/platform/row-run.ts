/**
 * The rows of one large write, all of one bucket, with keys strictly ascending, packed into blocks
 * of bytes. A row costs its bytes and two numbers instead of three objects. A lookup is a binary
 * search. Pure.
 *
 * Rows are added until the run is handed over, by reference. After that it must not change.
 */
import { invariant } from "../base/invariant.js";
import { checkKey, keyText, type RowCursor, type RowLayer, type ScanRange } from "./row-layer.js";
import type { Bucket, RowWrite } from "./rows.js";

const rowsPerBlock = 1024;
/** Stands in place of a value's length: the row is deleted. */
const noValue = 0xffff_ffff;

interface Block {
  /** Key, then value, row after row. */
  bytes: Uint8Array;
  used: number;
  /** For each row: where its key begins, the key's length, the value's length or `noValue`. */
  readonly places: Uint32Array;
  count: number;
  readonly first: string;
}

export class RowRun implements RowLayer {
  readonly bucket: Bucket;
  readonly #blocks: Block[] = [];
  #count = 0;
  #last: string | undefined;

  constructor(bucket: Bucket) {
    this.bucket = bucket;
  }

  get count(): number {
    return this.#count;
  }

  /** Adds a row. Returns false, and adds nothing, if the key is not above the last one. */
  add(key: Uint8Array, value: Uint8Array | undefined): boolean {
    checkKey(key);
    const text = keyText(key);
    if (this.#last !== undefined && text <= this.#last) return false;
    const size = key.length + (value?.length ?? 0);
    const block = this.#room(text, size);
    const at = block.count * 3;
    block.places[at] = block.used;
    block.places[at + 1] = key.length;
    block.places[at + 2] = value === undefined ? noValue : value.length;
    block.bytes.set(key, block.used);
    if (value !== undefined) block.bytes.set(value, block.used + key.length);
    block.used += size;
    block.count++;
    this.#count++;
    this.#last = text;
    return true;
  }

  get(bucket: Bucket, key: Uint8Array): RowWrite | undefined {
    return this.find(bucket, keyText(key));
  }

  find(bucket: Bucket, text: string): RowWrite | undefined {
    if (bucket !== this.bucket || this.#last === undefined || text > this.#last) return undefined;
    const place = this.#lowerBound(text);
    const row = place < this.#count ? this.row(place) : undefined;
    return row !== undefined && keyText(row.key) === text ? row : undefined;
  }

  isEmpty(bucket: Bucket): boolean {
    return bucket !== this.bucket || this.#count === 0;
  }

  *rows(): Iterable<RowWrite> {
    for (let place = 0; place < this.#count; place++) yield this.row(place);
  }

  cursor(bucket: Bucket, range: ScanRange): RowCursor {
    if (bucket !== this.bucket) return new RunCursor(this, [0, 0]);
    const first = this.#lowerBound(keyText(range.from));
    const end = range.to === undefined ? this.#count : this.#lowerBound(keyText(range.to));
    if (range.reverse === true) return new RunCursor(this, [end - 1, first - 1]);
    return new RunCursor(this, [first, end]);
  }

  /** The row at a place: 0 to `count` - 1. */
  row(place: number): RowWrite {
    const block = this.#blocks[Math.floor(place / rowsPerBlock)] as Block;
    const at = (place % rowsPerBlock) * 3;
    const start = block.places[at] as number;
    const keyEnd = start + (block.places[at + 1] as number);
    const length = block.places[at + 2] as number;
    return {
      bucket: this.bucket,
      key: block.bytes.subarray(start, keyEnd),
      value: length === noValue ? undefined : block.bytes.subarray(keyEnd, keyEnd + length),
    };
  }

  /**
   * A block with room for one more row. All blocks but the last are full: a place tells its block.
   */
  #room(text: string, size: number): Block {
    let block = this.#blocks.at(-1);
    if (block === undefined || block.count === rowsPerBlock) {
      const places = new Uint32Array(rowsPerBlock * 3);
      const bytes = new Uint8Array(Math.max(size, block === undefined ? 4096 : block.used));
      block = { bytes, used: 0, places, count: 0, first: text };
      this.#blocks.push(block);
    }
    const needed = block.used + size;
    invariant(needed < noValue, "a block of rows is too large");
    if (needed > block.bytes.length) {
      const larger = new Uint8Array(Math.max(needed, 2 * block.bytes.length));
      larger.set(block.bytes.subarray(0, block.used));
      block.bytes = larger;
    }
    return block;
  }

  /** The first place whose key is not below `text`. */
  #lowerBound(text: string): number {
    const blocks = this.#blocks;
    let low = 0;
    let high = blocks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((blocks[middle] as Block).first <= text) low = middle + 1;
      else high = middle;
    }
    // Searches the block before the first one that begins above `text`.
    let first = Math.max(0, low - 1) * rowsPerBlock;
    let end = Math.min(this.#count, low * rowsPerBlock);
    while (first < end) {
      const middle = (first + end) >>> 1;
      if (keyText(this.row(middle).key) < text) first = middle + 1;
      else end = middle;
    }
    return first;
  }
}

class RunCursor implements RowCursor {
  readonly #run: RowRun;
  readonly #end: number;
  readonly #step: number;
  #at: number;
  #row: RowWrite | undefined;
  #text: string | undefined;

  constructor(run: RowRun, [start, end]: readonly [number, number]) {
    this.#run = run;
    this.#at = start;
    this.#end = end;
    this.#step = end < start ? -1 : 1;
    this.#load();
  }

  get text(): string | undefined {
    return this.#text;
  }

  get row(): RowWrite {
    return this.#row as RowWrite;
  }

  advance(): void {
    this.#at += this.#step;
    this.#load();
  }

  #load(): void {
    this.#row = this.#at === this.#end ? undefined : this.#run.row(this.#at);
    this.#text = this.#row === undefined ? undefined : keyText(this.#row.key);
  }
}
