/** A member's HashKV for another member: the answer to PeerMethod.etcdHash. */
import { KvError } from "../../base/errors.js";
import type { HashKv } from "../../state/types.js";

export interface MemberHash extends HashKv {
  /** When it was computed. */
  readonly currentRevision: number;
}

/** What a member answered, or why it did not. */
export interface Told {
  readonly id: bigint;
  readonly hash: MemberHash | KvError;
}

/** The body of a question: the revision (0: the newest), float64, little-endian. */
export function encodeAskedRevision(revision: number): Uint8Array {
  return encodeNumbers([revision]);
}

/** NaN: not a revision. */
export function decodeAskedRevision(body: Uint8Array): number {
  return body.length === 8 ? numberAt(body, 0) : Number.NaN;
}

/**
 * The body of an answer: hash, compact revision, hashed revision, current revision; each a float64,
 * little-endian.
 */
export function encodeHash(hash: MemberHash): Uint8Array {
  return encodeNumbers([hash.hash, hash.compactRevision, hash.hashRevision, hash.currentRevision]);
}

/** Reads an answer. KvError timeout: it has another length, and counts as no answer. */
export function decodeHash(body: Uint8Array): MemberHash | KvError {
  if (body.length !== 32) return new KvError("timeout");
  return {
    hash: numberAt(body, 0),
    compactRevision: numberAt(body, 1),
    hashRevision: numberAt(body, 2),
    currentRevision: numberAt(body, 3),
  };
}

function encodeNumbers(numbers: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(8 * numbers.length);
  const view = new DataView(bytes.buffer);
  for (const [place, number] of numbers.entries()) view.setFloat64(8 * place, number, true);
  return bytes;
}

function numberAt(body: Uint8Array, place: number): number {
  return new DataView(body.buffer, body.byteOffset, body.length).getFloat64(8 * place, true);
}
