/**
 * Writes a bbolt file; the second pass after layout.ts. Takes the rows that layout.ts counted and
 * gives out the pages in the order of the file. It holds the page that is being filled, and the first
 * key of each page.
 *
 * The file: two meta pages, an empty freelist, then each bucket (its leaves, then its branches,
 * level by level), and last the page that names the buckets.
 */
import { invariant } from "../base/invariant.js";
import {
  bucketBytes,
  bucketFlag,
  elementBytes,
  type MetaPage,
  PageKind,
  pageHeadBytes,
  viewOf,
  writeMetaPage,
  writePageHead,
} from "./format.js";
import {
  type BucketLayout,
  type FileLayout,
  firstRowPage,
  type Level,
  pageBytes,
} from "./layout.js";
import { KeyList, U32List } from "./u32-list.js";

/**
 * Makes the pages. Call `head`, then `bucket` for each bucket in the order of the layout, then
 * `tail`.
 */
export class FileWriter {
  readonly #layout: FileLayout;
  readonly #space = new PageSpace();

  constructor(layout: FileLayout) {
    this.#layout = layout;
  }

  /** The pages before the first bucket. */
  head(): Uint8Array {
    const { rootPage, pages } = this.#layout;
    const bytes = new Uint8Array(firstRowPage * pageBytes);
    const meta: MetaPage = {
      ...{ pageBytes, root: rootPage, rootSequence: 0n, freelist: 2, highWater: pages },
      transaction: 0n,
    };
    // A transaction writes the meta page with the rest of its number modulo 2.
    writeMetaPage(bytes.subarray(0, pageBytes), 0, { ...meta, transaction: 2n });
    writeMetaPage(bytes.subarray(pageBytes, 2 * pageBytes), 1, { ...meta, transaction: 1n });
    const head = { id: 2, kind: PageKind.freelist, count: 0, overflow: 0 };
    writePageHead(viewOf(bytes), 2 * pageBytes, head);
    return bytes;
  }

  bucket(place: number): BucketWriter {
    return new BucketWriter(this.#layout.buckets[place] as BucketLayout, this.#space);
  }

  /** The page that names the buckets. */
  tail(): Uint8Array {
    const { buckets, rootPage, pages } = this.#layout;
    const head = { id: rootPage, pages: pages - rootPage, count: buckets.length };
    const page = new LeafPage(this.#space, { ...head, flags: bucketFlag });
    for (const bucket of buckets) {
      const isInline = bucket.rootPage === 0;
      const value = new Uint8Array(bucketBytes + (isInline ? pageHeadBytes : 0));
      writeNumber(viewOf(value), 0, bucket.rootPage);
      const head = { id: 0, kind: PageKind.leaf, count: 0, overflow: 0 };
      if (isInline) writePageHead(viewOf(value), bucketBytes, head);
      page.add(bucket.name, value);
    }
    return page.bytes;
  }
}

/**
 * Makes the pages of one bucket. Call `add` for each of its rows, ascending by key, then read
 * `branches` to its end.
 */
export class BucketWriter {
  readonly #layout: BucketLayout;
  readonly #space: PageSpace;
  readonly #firstKeys = new KeyList();
  /** The leaf that is being filled. Undefined: the next row begins one. */
  #filling: LeafPage | undefined;
  #leaf = 0;
  #page: number;

  constructor(layout: BucketLayout, space: PageSpace) {
    this.#layout = layout;
    this.#space = space;
    this.#page = layout.firstPage;
  }

  /** Adds a row. Returns the leaf that is now complete; undefined: none is. Copies the arrays. */
  add(key: Uint8Array, value: Uint8Array): Uint8Array | undefined {
    const leaves = this.#layout.levels[0];
    invariant(
      leaves !== undefined && this.#leaf < leaves.counts.length,
      "there are more rows than were counted",
    );
    const pages = leaves.pages.at(this.#leaf);
    if (this.#filling === undefined) {
      this.#firstKeys.push(key);
      const count = leaves.counts.at(this.#leaf);
      this.#filling = new LeafPage(this.#space, { id: this.#page, pages, count, flags: 0 });
    }
    if (!this.#filling.add(key, value)) return undefined;
    const { bytes } = this.#filling;
    this.#filling = undefined;
    this.#leaf++;
    this.#page += pages;
    return bytes;
  }

  /** The branches, in order. */
  *branches(): Generator<Uint8Array> {
    const { levels, firstPage } = this.#layout;
    invariant(
      this.#filling === undefined && this.#leaf === (levels[0]?.counts.length ?? 0),
      "there are fewer rows than were counted",
    );
    let childPage = firstPage;
    /** The leaf with which each child begins. Undefined: each child is a leaf. */
    let leafOf: U32List | undefined;
    for (let place = 1; place < levels.length; place++) {
      const level = levels[place] as Level;
      const { pages: childPages } = levels[place - 1] as Level;
      const starts = new U32List();
      let child = 0;
      for (let node = 0; node < level.counts.length; node++) {
        starts.push(leafOf?.at(child) ?? child);
        const children: { readonly key: Uint8Array; readonly page: number }[] = [];
        for (let count = level.counts.at(node); count > 0; count--) {
          children.push({ key: this.#firstKeys.at(leafOf?.at(child) ?? child), page: childPage });
          childPage += childPages.at(child++);
        }
        const pages = level.pages.at(node);
        yield branchPage(children, { id: this.#page, pages });
        this.#page += pages;
      }
      leafOf = starts;
    }
  }
}

/** How many pages are made at once. */
const spacePages = 256;

/**
 * Gives out empty pages. Those that are taken one after the other mostly lie so in memory, too, so
 * whoever wants them as one array need not copy them (see `joinPages`).
 */
class PageSpace {
  #bytes = new Uint8Array(0);

  take(pages: number): Uint8Array {
    const size = pages * pageBytes;
    if (size > this.#bytes.length) {
      this.#bytes = new Uint8Array(Math.max(size, spacePages * pageBytes));
    }
    const taken = this.#bytes.subarray(0, size);
    this.#bytes = this.#bytes.subarray(size);
    return taken;
  }
}

/** The pages as one array, which may share their memory. There is at least one. */
export function joinPages(pages: readonly Uint8Array[]): Uint8Array {
  const { buffer, byteOffset } = pages[0] as Uint8Array;
  let end = byteOffset;
  for (const page of pages) {
    if (page.buffer !== buffer || page.byteOffset !== end) return Buffer.concat(pages);
    end += page.length;
  }
  return new Uint8Array(buffer, byteOffset, end - byteOffset);
}

/** A leaf, filled row by row. */
class LeafPage {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  readonly #flags: number;
  /** Where the next row's element and data begin. */
  #at = pageHeadBytes;
  #dataAt: number;
  readonly #endAt: number;

  /** `count`: how many rows it will have. `flags`: those of each row. */
  constructor(
    space: PageSpace,
    of: {
      readonly id: number;
      readonly pages: number;
      readonly count: number;
      readonly flags: number;
    },
  ) {
    const { id, pages, count } = of;
    this.bytes = space.take(pages);
    this.#view = viewOf(this.bytes);
    this.#flags = of.flags;
    this.#endAt = pageHeadBytes + count * elementBytes;
    this.#dataAt = this.#endAt;
    writePageHead(this.#view, 0, { id, kind: PageKind.leaf, count, overflow: pages - 1 });
  }

  /** Adds the next row. True: the leaf is complete. */
  add(key: Uint8Array, value: Uint8Array): boolean {
    const view = this.#view;
    const at = this.#at;
    const valueAt = this.#dataAt + key.length;
    invariant(valueAt + value.length <= this.bytes.length, "a row grew since it was counted");
    if (this.#flags !== 0) view.setUint32(at, this.#flags, true);
    view.setUint32(at + 4, this.#dataAt - at, true);
    view.setUint32(at + 8, key.length, true);
    view.setUint32(at + 12, value.length, true);
    this.bytes.set(key, this.#dataAt);
    this.bytes.set(value, valueAt);
    this.#dataAt = valueAt + value.length;
    this.#at = at + elementBytes;
    return this.#at === this.#endAt;
  }
}

function branchPage(
  children: readonly { readonly key: Uint8Array; readonly page: number }[],
  { id, pages }: { readonly id: number; readonly pages: number },
): Uint8Array {
  const bytes = new Uint8Array(pages * pageBytes);
  const view = viewOf(bytes);
  const count = children.length;
  writePageHead(view, 0, { id, kind: PageKind.branch, count, overflow: pages - 1 });
  let at = pageHeadBytes;
  let dataAt = pageHeadBytes + count * elementBytes;
  for (const { key, page } of children) {
    view.setUint32(at, dataAt - at, true);
    view.setUint32(at + 4, key.length, true);
    writeNumber(view, at + 8, page);
    bytes.set(key, dataAt);
    dataAt += key.length;
    at += elementBytes;
  }
  return bytes;
}

/** Writes a number below 2^53 as u64. */
function writeNumber(view: DataView, at: number, value: number): void {
  view.setUint32(at, value, true);
  view.setUint32(at + 4, Math.floor(value / 0x1_0000_0000), true);
}
