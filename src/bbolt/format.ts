/**
 * The file format of bbolt, the B+tree store below etcd (go.etcd.io/bbolt, format version 2). A
 * file is a row of pages of one size. Pages 0 and 1 each hold a meta record; the newer sound one
 * names the root. All numbers are little-endian.
 *
 * | record | layout |
 * |---|---|
 * | page head, 16 bytes | id u64, kind u16, count u16, overflow u32: pages that belong to it beyond its own |
 * | meta, after the head | magic u32, version u32, page size u32, flags u32, root page u64, root sequence u64, freelist page u64, high water u64: pages in use, transaction u64, FNV-1a of the 56 bytes before u64 |
 * | branch element, 16 bytes | place u32, key size u32, page u64 |
 * | leaf element, 16 bytes | flags u32 (1: a bucket), place u32, key size u32, value size u32 |
 * | bucket, as a leaf value | root page u64 (0: a page of its own follows right here), sequence u64 |
 * | freelist, after the head | ids u64; if count is 65535, the first u64 is the real count |
 *
 * The place of an element is the distance from the element itself to its key; the value follows.
 */
import { fnv64a } from "./fnv64a.js";

export const magic = 0xed0cdaed;
export const formatVersion = 2;
export const pageHeadBytes = 16;
export const elementBytes = 16;
export const bucketBytes = 16;
export const metaBytes = 64;
const summedBytes = 56;
export const PageKind = { branch: 1, leaf: 2, meta: 4, freelist: 16 } as const;
export const bucketFlag = 1;
/** A count of this value in a freelist says that the real count follows. */
export const countOverflow = 0xffff;
/** The size of a page is a power of two between these two. */
export const pageBytesMin = 512;
export const pageBytesMax = 65_536;

/** The file is damaged, or no bbolt file. The text says where and what. */
export class BboltError extends Error {
  override readonly name = "BboltError";
}

export interface MetaPage {
  readonly pageBytes: number;
  readonly root: number;
  readonly rootSequence: bigint;
  /** The page of the freelist. Undefined: the file does not list its free pages. */
  readonly freelist: number | undefined;
  /** The number of pages that the transaction knows. Later pages do not count. */
  readonly highWater: number;
  readonly transaction: bigint;
}

const noFreelist = 0xffff_ffff_ffff_ffffn;

/** Writes the page with this meta record. `bytes` is one page of zeros. */
export function writeMetaPage(bytes: Uint8Array, page: number, meta: MetaPage): void {
  const view = viewOf(bytes);
  writePageHead(view, 0, { id: page, kind: PageKind.meta, count: 0, overflow: 0 });
  view.setUint32(16, magic, true);
  view.setUint32(20, formatVersion, true);
  view.setUint32(24, meta.pageBytes, true);
  view.setBigUint64(32, BigInt(meta.root), true);
  view.setBigUint64(40, meta.rootSequence, true);
  view.setBigUint64(48, meta.freelist === undefined ? noFreelist : BigInt(meta.freelist), true);
  view.setBigUint64(56, BigInt(meta.highWater), true);
  view.setBigUint64(64, meta.transaction, true);
  view.setBigUint64(72, fnv64a(bytes.subarray(16, 16 + summedBytes)), true);
}

/** Reads the meta record that begins at the start of `bytes`. A text: why it is none. */
export function readMetaPage(bytes: Uint8Array): MetaPage | string {
  if (bytes.length < metaBytes) return "it is too short";
  const view = viewOf(bytes);
  if (view.getUint32(0, true) !== magic) return "it has another magic number";
  const version = view.getUint32(4, true);
  if (version !== formatVersion) return `it has format version ${version}, not ${formatVersion}`;
  if (view.getBigUint64(56, true) !== fnv64a(bytes.subarray(0, summedBytes))) {
    return "its checksum does not fit";
  }
  const pageBytes = view.getUint32(8, true);
  const isPower = (pageBytes & (pageBytes - 1)) === 0;
  if (!isPower || pageBytes < pageBytesMin || pageBytes > pageBytesMax) {
    return `it names pages of ${pageBytes} bytes`;
  }
  const freelist = view.getBigUint64(32, true);
  return {
    pageBytes,
    root: pageNumber(view.getBigUint64(16, true)),
    rootSequence: view.getBigUint64(24, true),
    freelist: freelist === noFreelist ? undefined : pageNumber(freelist),
    highWater: pageNumber(view.getBigUint64(40, true)),
    transaction: view.getBigUint64(48, true),
  };
}

export interface PageHead {
  readonly id: number;
  readonly kind: number;
  readonly count: number;
  readonly overflow: number;
}

export function writePageHead(view: DataView, at: number, head: PageHead): void {
  view.setBigUint64(at, BigInt(head.id), true);
  view.setUint16(at + 8, head.kind, true);
  view.setUint16(at + 10, head.count, true);
  view.setUint32(at + 12, head.overflow, true);
}

export function readPageHead(view: DataView, at: number): PageHead {
  return {
    id: pageNumber(view.getBigUint64(at, true)),
    kind: view.getUint16(at + 8, true),
    count: view.getUint16(at + 10, true),
    overflow: view.getUint32(at + 12, true),
  };
}

/** Page numbers of a sound file are far below 2^53; a larger one stays out of range. */
export function pageNumber(value: bigint): number {
  return Number(value);
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
