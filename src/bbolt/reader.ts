/**
 * Reads a bbolt file: bytes in, rows out. Trusts nothing in the file. It reads every page at most
 * once, checks every place and size before it uses it, and demands ascending keys. So a damaged
 * file ends with a BboltError that names the page, and never with an endless walk or with more
 * memory than its largest row needs.
 */
import { compareBytes, printable } from "../base/bytes.js";
import {
  BboltError,
  bucketBytes,
  bucketFlag,
  countOverflow,
  elementBytes,
  type MetaPage,
  metaBytes,
  PageKind,
  pageBytesMax,
  pageBytesMin,
  pageHeadBytes,
  pageNumber,
  readMetaPage,
  readPageHead,
  viewOf,
} from "./format.js";

/** The bytes of a file. */
export interface ByteSource {
  readonly size: number;
  /**
   * Reads `length` bytes at `at`; fewer only at the end of the file. The reader keeps the array.
   */
  read(at: number, length: number): Uint8Array;
}

export interface Row {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** A bucket as a leaf names it: another root page, or a page inside the value. */
export interface BucketPlace {
  readonly name: Uint8Array;
  readonly root: number;
  /** The bytes of the page inside the value; empty if `root` is not 0. */
  readonly inline: Uint8Array;
}

/** A page with what it holds beyond its own bytes. */
interface Node {
  /** The page and its owner, for the texts of errors. */
  readonly name: string;
  readonly owner: string;
  readonly bytes: Uint8Array;
  readonly kind: number;
  readonly count: number;
}

/** The most levels of buckets in buckets; etcd has none. */
const depthMax = 32;

/** @throws BboltError if no sound meta record is found, or if it contradicts the file's size */
export function openBbolt(source: ByteSource): BboltFile {
  return new BboltFile(source, newestMeta(source));
}

export class BboltFile {
  readonly meta: MetaPage;
  readonly #source: ByteSource;

  constructor(source: ByteSource, meta: MetaPage) {
    this.#source = source;
    this.meta = meta;
    if (meta.highWater * meta.pageBytes > source.size) {
      throw new BboltError(
        `the file was cut: it has ${source.size} bytes and should have ${meta.highWater * meta.pageBytes}`,
      );
    }
  }

  /** Bytes of the pages in use by the file. */
  get sizeBytes(): number {
    return this.meta.highWater * this.meta.pageBytes;
  }

  /**
   * Begins one walk over the file, or over parts of it. A page that comes a second time is an
   * error.
   */
  walk(): Walk {
    return new Walk(this.#source, this.meta);
  }
}

/** A walk reads each page once at most. */
export class Walk {
  readonly #source: ByteSource;
  readonly #meta: MetaPage;
  /** A bit for each page that was read. */
  readonly #seen: Uint8Array;

  constructor(source: ByteSource, meta: MetaPage) {
    this.#source = source;
    this.#meta = meta;
    this.#seen = new Uint8Array(Math.ceil(meta.highWater / 8));
    this.#mark(0, 2, "the meta pages");
  }

  /** The buckets of the file, in order of their names. @throws BboltError */
  *buckets(): Generator<BucketPlace> {
    for (const { row, isBucket } of this.#leaves(this.#page(this.#meta.root, "the file's root"))) {
      if (!isBucket) throw new BboltError("the root of the file holds a row beside the buckets");
      yield this.#place(row);
    }
  }

  /** The rows of a bucket, keys ascending. @throws BboltError, also for a bucket in the bucket */
  *rows(bucket: BucketPlace): Generator<Row> {
    for (const { row, isBucket } of this.#leaves(this.#rootOf(bucket))) {
      if (isBucket) throw new BboltError(`${titleOf(bucket.name)} holds a bucket`);
      yield row;
    }
  }

  /** The rows of a bucket, where a value may be a bucket. */
  *entries(bucket: BucketPlace): Generator<Row | BucketPlace> {
    for (const { row, isBucket } of this.#leaves(this.#rootOf(bucket))) {
      yield isBucket ? this.#place(row) : row;
    }
  }

  /** The pages that the file lists as free, ascending. Undefined: it has no list. */
  freePages(): readonly number[] | undefined {
    const { freelist } = this.#meta;
    if (freelist === undefined) return undefined;
    const node = this.#page(freelist, "the freelist");
    if (node.kind !== PageKind.freelist) throw new BboltError(`${node.name} is no freelist`);
    const view = viewOf(node.bytes);
    const room = Math.floor((node.bytes.length - pageHeadBytes) / 8);
    const isLong = node.count === countOverflow;
    const count =
      isLong && room > 0 ? pageNumber(view.getBigUint64(pageHeadBytes, true)) : node.count;
    const first = isLong ? 1 : 0;
    if (first + count > room) throw new BboltError(`${node.name} ends before its ${count} pages`);
    const pages: number[] = [];
    for (let at = first; at < first + count; at++) {
      const page = pageNumber(view.getBigUint64(pageHeadBytes + 8 * at, true));
      const before = pages.at(-1) ?? 1;
      if (page <= before || page >= this.#meta.highWater) {
        throw new BboltError(`${node.name} lists page ${page} where it cannot stand`);
      }
      pages.push(page);
    }
    return pages;
  }

  /**
   * Reads every page that the file needs. Calls `enter` for each bucket at the top, then `visit` for
   * each of its rows, in order. Finds damage that a reading of single buckets cannot see: a page in
   * use that is listed as free, and pages that nothing names. @throws BboltError
   */
  checkAll(visit: (row: Row) => void, enter: (bucket: Uint8Array) => void = () => {}): void {
    for (const bucket of this.buckets()) {
      enter(bucket.name);
      this.#checkBucket(bucket, visit, 1);
    }
    const free = this.freePages();
    if (free === undefined) return;
    for (const page of free) this.#mark(page, 1, `free page ${page}`);
    for (let page = 0; page < this.#meta.highWater; page++) {
      if (((this.#seen[page >>> 3] as number) & (1 << (page & 7))) === 0) {
        throw new BboltError(`page ${page} is neither in use nor free`);
      }
    }
  }

  #checkBucket(bucket: BucketPlace, visit: (row: Row) => void, depth: number): void {
    if (depth > depthMax)
      throw new BboltError(`there are buckets in more than ${depthMax} buckets`);
    for (const entry of this.entries(bucket)) {
      if ("key" in entry) visit(entry);
      else this.#checkBucket(entry, () => {}, depth + 1);
    }
  }

  #place({ key, value }: Row): BucketPlace {
    const name = titleOf(key);
    if (value.length < bucketBytes) throw new BboltError(`${name} has no root`);
    const root = pageNumber(viewOf(value).getBigUint64(0, true));
    if (root === 0 && value.length < bucketBytes + pageHeadBytes) {
      throw new BboltError(`${name} ends before the page inside it`);
    }
    return { name: key, root, inline: root === 0 ? value.subarray(bucketBytes) : noBytes };
  }

  #rootOf(bucket: BucketPlace): Node {
    const owner = titleOf(bucket.name);
    if (bucket.root !== 0) return this.#page(bucket.root, owner);
    const { inline } = bucket;
    const { kind, count } = readPageHead(viewOf(inline), 0);
    const name = `the page inside ${owner}`;
    if (kind !== PageKind.leaf) throw new BboltError(`${name} is no leaf`);
    return { name, owner, bytes: inline, kind, count };
  }

  /**
   * All elements of the leaves below `root`, with ascending keys. Walks depth first, by a stack.
   */
  *#leaves(root: Node): Generator<{ readonly row: Row; readonly isBucket: boolean }> {
    const path: { readonly node: Node; next: number }[] = [{ node: root, next: 0 }];
    let before: Uint8Array | undefined;
    /** A lower bound of the keys that follow, from the branch above. */
    let floor: Uint8Array | undefined;
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const { node } = top;
      if (top.next === node.count) {
        path.pop();
      } else if (node.kind === PageKind.branch) {
        const { key, page } = branchElement(node, top.next++);
        if (before !== undefined && compareBytes(before, key) >= 0) throw disorder(node);
        floor = key;
        path.push({ node: this.#page(page, node.owner), next: 0 });
      } else {
        const element = leafElement(node, top.next++);
        const { key } = element.row;
        if (before !== undefined && compareBytes(before, key) >= 0) throw disorder(node);
        if (floor !== undefined && compareBytes(floor, key) > 0) throw disorder(node);
        before = key;
        floor = undefined;
        yield element;
      }
    }
  }

  /** Reads a page of a tree, or the freelist, with exactly the bytes that its elements need. */
  #page(page: number, owner: string): Node {
    const { pageBytes, highWater } = this.#meta;
    if (!(page >= 2 && page < highWater)) {
      throw new BboltError(`${owner} names page ${page}, but the file has ${highWater} pages`);
    }
    const name = `page ${page} (${owner})`;
    const at = page * pageBytes;
    const first = this.#read(at, pageBytes);
    const { id, kind, count, overflow } = readPageHead(viewOf(first), 0);
    if (id !== page) throw new BboltError(`${name} says that it is page ${id}`);
    const span = 1 + overflow;
    if (page + span > highWater) throw new BboltError(`${name} claims ${span} pages`);
    this.#mark(page, span, name);
    if (kind !== PageKind.branch && kind !== PageKind.leaf && kind !== PageKind.freelist) {
      throw new BboltError(`${name} is of unknown kind ${kind}`);
    }
    if (kind === PageKind.branch && count === 0) throw new BboltError(`${name} has no children`);
    const node = { name, owner, bytes: first, kind, count };
    if (span === 1) return node;
    return { ...node, bytes: this.#whole(node, { at, spanBytes: span * pageBytes }) };
  }

  /** Reads all bytes of a page that goes on over further pages. */
  #whole(node: Node, { at, spanBytes }: { readonly at: number; readonly spanBytes: number }) {
    let end = pageHeadBytes + elementBytes * node.count;
    if (node.kind === PageKind.freelist) {
      end = pageHeadBytes + 8 * node.count;
      if (node.count === countOverflow) {
        end =
          pageHeadBytes + 8 + 8 * pageNumber(viewOf(node.bytes).getBigUint64(pageHeadBytes, true));
      }
    } else if (end <= spanBytes) {
      const table = end <= node.bytes.length ? node.bytes : this.#read(at, end);
      for (let place = 0; place < node.count; place++) {
        end = Math.max(end, endOfElement(node.kind, viewOf(table), elementOffset(place)));
      }
    }
    if (end > spanBytes) throw new BboltError(`${node.name} has a row beyond its end`);
    return this.#read(at, Math.max(end, node.bytes.length));
  }

  #mark(page: number, span: number, name: string): void {
    for (let one = page; one < page + span; one++) {
      const bit = 1 << (one & 7);
      if (((this.#seen[one >>> 3] as number) & bit) !== 0) {
        throw new BboltError(`${name} is used twice`);
      }
      (this.#seen[one >>> 3] as number) |= bit;
    }
  }

  #read(at: number, length: number): Uint8Array {
    const bytes = this.#source.read(at, length);
    if (bytes.length !== length) throw new BboltError(`the file ends at byte ${at + bytes.length}`);
    return bytes;
  }
}

const noBytes = new Uint8Array(0);

function disorder(node: Node): BboltError {
  return new BboltError(`${node.name} has keys out of order`);
}

function branchElement(
  node: Node,
  place: number,
): { readonly key: Uint8Array; readonly page: number } {
  const at = elementAt(node, place);
  const view = viewOf(node.bytes);
  const keyAt = at + view.getUint32(at, true);
  const end = endOfElement(node.kind, view, at);
  return {
    key: node.bytes.subarray(keyAt, end),
    page: pageNumber(view.getBigUint64(at + 8, true)),
  };
}

function leafElement(node: Node, place: number): { readonly row: Row; readonly isBucket: boolean } {
  const at = elementAt(node, place);
  const view = viewOf(node.bytes);
  const keyAt = at + view.getUint32(at + 4, true);
  const valueAt = keyAt + view.getUint32(at + 8, true);
  const end = endOfElement(node.kind, view, at);
  const row = {
    key: node.bytes.subarray(keyAt, valueAt),
    value: node.bytes.subarray(valueAt, end),
  };
  return { row, isBucket: (view.getUint32(at, true) & bucketFlag) !== 0 };
}

/** Where the key and value of the element at `at` end. */
function endOfElement(kind: number, view: DataView, at: number): number {
  const word = (place: number): number => view.getUint32(at + place, true);
  return kind === PageKind.branch ? at + word(0) + word(4) : at + word(4) + word(8) + word(12);
}

function elementOffset(place: number): number {
  return pageHeadBytes + place * elementBytes;
}

/** @throws BboltError if the element or its row lies beyond the page */
function elementAt(node: Node, place: number): number {
  const at = elementOffset(place);
  const isHere = at + elementBytes <= node.bytes.length;
  if (isHere && endOfElement(node.kind, viewOf(node.bytes), at) <= node.bytes.length) return at;
  throw new BboltError(`${node.name} has a row beyond its end`);
}

/** The sound meta record with the latest transaction. */
function newestMeta(source: ByteSource): MetaPage {
  const first = metaAt(source, 0);
  const metas: MetaPage[] = [];
  let problem: string | undefined = typeof first === "string" ? first : undefined;
  if (typeof first !== "string") metas.push(first);
  // Without a sound first record, the place of the second one tells the page size.
  const sizes = typeof first === "string" ? allPageSizes() : [first.pageBytes];
  for (const pageBytes of sizes) {
    const second = metaAt(source, pageBytes);
    if (typeof second !== "string" && second.pageBytes === pageBytes) metas.push(second);
    else if (typeof second === "string" && problem === undefined) problem = second;
  }
  metas.sort((a, b) => (a.transaction < b.transaction ? 1 : -1));
  const newest = metas[0];
  if (newest === undefined) {
    throw new BboltError(`this is no bbolt file, or its first pages are damaged: ${problem}`);
  }
  return newest;
}

function allPageSizes(): readonly number[] {
  const sizes: number[] = [];
  for (let size = pageBytesMin; size <= pageBytesMax; size *= 2) sizes.push(size);
  return sizes;
}

function metaAt(source: ByteSource, at: number): MetaPage | string {
  const bytes = source.read(at, pageHeadBytes + metaBytes);
  return readMetaPage(bytes.subarray(pageHeadBytes));
}

function titleOf(bucket: Uint8Array): string {
  return `bucket "${printable(bucket.subarray(0, 64))}"`;
}
