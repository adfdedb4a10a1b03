/**
 * The one row of bucket meta: the last entry that the rows include, and the digests that the rows
 * must have. Each entry writes it, in the same write as its other rows. So the rows and this row
 * always agree, in every crash image.
 */
import { DamageError } from "../base/errors.js";
import { cutBytes } from "../base/slab.js";
import type { BackendReader } from "../platform/backend.js";
import { Bucket } from "../platform/rows.js";
import { type DigestSet, digestSetBytes, digestSetBytes1, digestVersion } from "./digest.js";
import { openRow } from "./rows.js";

export interface Meta {
  index: number;
  term: number;
  revision: number;
  /** -1 before the first compaction, because as in etcd the first one may be at 0. */
  compactRevision: number;
  /** Superseded rows up to here are removed. */
  finishedCompactRevision: number;
  /** Where the running compaction continues: main and sub revision of the next row to look at. */
  cursorMain: number;
  cursorSub: number;
  /** The log chain (log-chain.ts) over all entries up to `index`. */
  logChain: number;
}

/** The meta row of a store in which nothing has happened. */
export function emptyMeta(): Meta {
  return {
    index: 0,
    term: 0,
    revision: 1,
    compactRevision: -1,
    finishedCompactRevision: -1,
    cursorMain: 0,
    cursorSub: 0,
    logChain: 0,
  };
}

export const metaKey: Uint8Array = new TextEncoder().encode("state");
const fields = 8;
const digestsAt = 4 + 8 * fields;
const metaBytes = digestsAt + digestSetBytes;
/** Bytes of a row of digest version 1. Such a state has no users, and is read as it is. */
const metaBytes1 = digestsAt + digestSetBytes1;

/**
 * Encodes the row: digest version u32, the fields of Meta as i64 in order, the digests;
 * little-endian.
 */
export function encodeMeta(meta: Meta, digests: DigestSet): Uint8Array {
  const bytes = cutBytes(metaBytes);
  writeU32(bytes, 0, digestVersion);
  writeSafe(bytes, 4, meta.index);
  writeSafe(bytes, 12, meta.term);
  writeSafe(bytes, 20, meta.revision);
  writeSafe(bytes, 28, meta.compactRevision);
  writeSafe(bytes, 36, meta.finishedCompactRevision);
  writeSafe(bytes, 44, meta.cursorMain);
  writeSafe(bytes, 52, meta.cursorSub);
  writeSafe(bytes, 60, meta.logChain);
  digests.writeTo(bytes, digestsAt);
  return bytes;
}

/**
 * Reads the row, and fills `digests` if it is given. Undefined: the backend is empty. @throws
 * DamageError
 */
export function readMeta(
  backend: Pick<BackendReader, "get">,
  digests: DigestSet | undefined,
): Meta | undefined {
  const stored = backend.get(Bucket.meta, metaKey);
  if (stored === undefined) return undefined;
  const bytes = openRow(Bucket.meta, metaKey, stored);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const version = bytes.length < 4 ? 0 : view.getUint32(0, true);
  const isCurrent = version === digestVersion && bytes.length === metaBytes;
  if (!isCurrent && !(version === 1 && bytes.length === metaBytes1)) {
    throw new DamageError({
      finding: "the backend was written by another version of this server",
      advice:
        "Start that version, or remove this member from the cluster and add it anew with an empty data directory",
    });
  }
  digests?.readFrom(bytes, digestsAt);
  return {
    index: readSafe(view, 4),
    term: readSafe(view, 12),
    revision: readSafe(view, 20),
    compactRevision: readSafe(view, 28),
    finishedCompactRevision: readSafe(view, 36),
    cursorMain: readSafe(view, 44),
    cursorSub: readSafe(view, 52),
    logChain: readSafe(view, 60),
  };
}

function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

function writeSafe(bytes: Uint8Array, at: number, value: number): void {
  writeU32(bytes, at, value);
  writeU32(bytes, at + 4, Math.floor(value / 0x1_0000_0000));
}

function readSafe(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getInt32(at + 4, true) * 0x1_0000_0000;
}
