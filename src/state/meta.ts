/**
 * The one row of bucket meta: up to which entry the rows stand, and what they must digest to. It is
 * written with every entry, in the same write as its rows; that is the law of this store.
 */

import { DamageError } from "../base/errors.js";
import { cutBytes } from "../base/slab.js";
import { type BackendReader, Bucket } from "../platform/backend.js";
import { type DigestSet, digestBytes, digestedBuckets, digestVersion } from "./digest.js";
import { openRow } from "./rows.js";

export interface Meta {
  index: number;
  term: number;
  revision: number;
  compactRevision: number;
  /** Superseded rows up to here are physically gone. */
  finishedCompactRevision: number;
  /** Where the running compaction goes on: the main revision of the next row to look at. */
  compactCursor: number;
}

export const metaKey = new TextEncoder().encode("state");
const fields = 6;
const metaBytes = 4 + 8 * fields + digestedBuckets.length * digestBytes;

/** Digest version u32, the fields of Meta as u64 in order, the digests; little-endian. */
export function encodeMeta(meta: Meta, digests: DigestSet): Uint8Array {
  const bytes = cutBytes(metaBytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  view.setUint32(0, digestVersion, true);
  setSafe(view, 4, meta.index);
  setSafe(view, 12, meta.term);
  setSafe(view, 20, meta.revision);
  setSafe(view, 28, meta.compactRevision);
  setSafe(view, 36, meta.finishedCompactRevision);
  setSafe(view, 44, meta.compactCursor);
  digests.writeTo(bytes, 4 + 8 * fields);
  return bytes;
}

/** Undefined: an empty backend. Fills `digests`. @throws DamageError */
export function readMeta(backend: BackendReader, digests: DigestSet): Meta | undefined {
  const stored = backend.get(Bucket.meta, metaKey);
  if (stored === undefined) return undefined;
  const bytes = openRow(Bucket.meta, metaKey, stored);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length !== metaBytes || view.getUint32(0, true) !== digestVersion) {
    throw new DamageError(
      "the backend was written by another version of this server: start that version, or remove this member from the cluster and add it anew with an empty data directory",
    );
  }
  digests.readFrom(bytes, 4 + 8 * fields);
  return {
    index: getSafe(view, 4),
    term: getSafe(view, 12),
    revision: getSafe(view, 20),
    compactRevision: getSafe(view, 28),
    finishedCompactRevision: getSafe(view, 36),
    compactCursor: getSafe(view, 44),
  };
}

function setSafe(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, Math.floor(value / 0x1_0000_0000), true);
}

function getSafe(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 0x1_0000_0000;
}
