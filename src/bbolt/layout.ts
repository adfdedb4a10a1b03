/**
 * Decides which rows share a page of a bbolt file, from the sizes of the rows alone. This is the
 * first pass of writing; writer.ts makes the second one. Both get the same rows in the same order.
 *
 * A page takes rows as far as they fit. Where that would leave much of it empty, because the rows are about as
 * long as a page, they share several pages; so a file of such rows is not twice as long as they are.
 * Every branch has at least two children, because bbolt relies on that when it deletes.
 */
import { invariant } from "../base/invariant.js";
import { bucketBytes, elementBytes, pageHeadBytes } from "./format.js";
import { U32List } from "./u32-list.js";

export const pageBytes = 4096;
/** Two meta pages and the freelist come first. */
export const firstRowPage = 3;

/** A leaf whose pages are full to this share takes no row that does not fit into one page with it. */
const fullShare = 3 / 4;
/** A longer row shares no pages: it would be written anew whenever a neighbour changes. */
const shareableBytes = 2 * pageBytes;

interface Group {
  count: number;
  bytes: number;
  /** Bytes of the first and the last key. */
  firstKey: number;
  lastKey: number;
}

/** The nodes of one level of a bucket's tree, from left to right. */
export class Level {
  /** How many rows or children each node has. */
  readonly counts: U32List = new U32List();
  /** How many pages each node has. */
  readonly pages: U32List = new U32List();
  /** How many pages this level has. */
  pageCount = 0;
  /** The level above; undefined if this one has a single node. */
  parent: Level | undefined;
  /** The last two nodes: they may still change. */
  #pending: Group[] = [];
  readonly #countMin: number;

  /** The least number of rows or children of a node: 1 for leaves, 2 for branches. */
  constructor(countMin: number) {
    this.#countMin = countMin;
  }

  /** Adds the next row or child. `valueBytes` is 0 in a branch. */
  add(keyBytes: number, valueBytes: number): void {
    const bytes = elementBytes + keyBytes + valueBytes;
    const last = this.#pending.at(-1);
    if (last !== undefined && this.#isTaken(last, bytes)) {
      last.count++;
      last.bytes += bytes;
      last.lastKey = keyBytes;
      return;
    }
    if (this.#pending.length === 2) this.#settle(this.#pending.shift() as Group);
    const group = { count: 1, bytes: pageHeadBytes + bytes, firstKey: keyBytes, lastKey: keyBytes };
    this.#pending.push(group);
  }

  /** Call after the last row or child. */
  finish(): void {
    const [before, last] = this.#pending;
    if (last !== undefined && before !== undefined && last.count < this.#countMin) {
      const bytes = elementBytes + before.lastKey;
      if (before.count > this.#countMin) {
        before.count--;
        before.bytes -= bytes;
        last.count++;
        last.bytes += bytes;
        last.firstKey = before.lastKey;
      } else {
        before.count += last.count;
        before.bytes += last.bytes - pageHeadBytes;
        this.#pending.pop();
      }
    }
    for (const group of this.#pending.splice(0)) this.#settle(group);
    if (this.counts.length === 1) this.parent = undefined;
    this.parent?.finish();
  }

  /** True if a row or child of so many bytes goes into this node. */
  #isTaken({ count, bytes }: Group, more: number): boolean {
    if (count < this.#countMin || bytes + more <= pageBytes) return true;
    const isLeaf = this.#countMin === 1;
    return isLeaf && more <= shareableBytes && bytes < fullShare * pagesFor(bytes) * pageBytes;
  }

  #settle(group: Group): void {
    const pages = pagesFor(group.bytes);
    this.counts.push(group.count);
    this.pages.push(pages);
    this.pageCount += pages;
    this.parent ??= new Level(2);
    this.parent.add(group.firstKey, 0);
  }
}

function pagesFor(bytes: number): number {
  return Math.ceil(bytes / pageBytes);
}

export interface BucketLayout {
  readonly name: Uint8Array;
  /**
   * The levels of the tree, leaves first; the last level has one node. Empty if the bucket has no
   * rows.
   */
  readonly levels: readonly Level[];
  readonly firstPage: number;
  /** 0: the bucket is empty, and stands inside the page that names it. */
  readonly rootPage: number;
}

export interface FileLayout {
  readonly buckets: readonly BucketLayout[];
  readonly rootPage: number;
  /** How many pages the file has. */
  readonly pages: number;
  readonly totalBytes: number;
}

/**
 * Plans a file. Call `begin`, `add` for each row, `end` for each bucket in order of the names; then
 * `finish`.
 */
export class FilePlan {
  readonly #buckets: BucketLayout[] = [];
  #nextPage = firstRowPage;
  #name: Uint8Array | undefined;
  #leaves = new Level(1);

  begin(name: Uint8Array): void {
    invariant(this.#name === undefined, "a bucket begins inside another");
    this.#name = name;
    this.#leaves = new Level(1);
  }

  add(keyBytes: number, valueBytes: number): void {
    this.#leaves.add(keyBytes, valueBytes);
  }

  end(): void {
    const name = this.#name;
    invariant(name !== undefined, "a bucket ends before it begins");
    this.#name = undefined;
    this.#leaves.finish();
    const levels: Level[] = [];
    let level: Level | undefined = this.#leaves.counts.length === 0 ? undefined : this.#leaves;
    const firstPage = this.#nextPage;
    let rootPage = 0;
    for (; level !== undefined; level = level.parent) {
      levels.push(level);
      rootPage = this.#nextPage;
      this.#nextPage += level.pageCount;
    }
    this.#buckets.push({ name, levels, firstPage, rootPage });
  }

  finish(): FileLayout {
    let bytes = pageHeadBytes;
    for (const { name, rootPage } of this.#buckets) {
      bytes += elementBytes + name.length + bucketBytes + (rootPage === 0 ? pageHeadBytes : 0);
    }
    const pages = this.#nextPage + Math.ceil(bytes / pageBytes);
    const rootPage = this.#nextPage;
    return { buckets: this.#buckets, rootPage, pages, totalBytes: pages * pageBytes };
  }
}
