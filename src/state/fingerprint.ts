/**
 * What a member says of its state with each raft message (docs/integrity.md): the fingerprint at the
 * last index it applied, and the digest version that it was made by. Fixed layout, little-endian:
 * version (1), index (8), revision (8), compact revision (8), log chain (4), rows (16).
 */
import { equalBytes } from "../base/bytes.js";
import { digestVersion, fingerprintBytes } from "./digest.js";
import type { Fingerprint } from "./types.js";

export interface Proof extends Fingerprint {
  /** Proofs of different versions say nothing about each other. */
  readonly version: number;
}

const rowsAt = 1 + 3 * 8 + 4;
export const proofBytes = rowsAt + fingerprintBytes;

/** What two proofs of one index and version say: nothing, another log, or another way to apply it. */
export type Difference = "none" | "log" | "apply";

export function proofOf(fingerprint: Fingerprint): Proof {
  return { ...fingerprint, version: digestVersion };
}

export function differenceOf(a: Proof, b: Proof): Difference {
  if (a.logChain !== b.logChain) return "log";
  const isSame =
    a.revision === b.revision &&
    a.compactRevision === b.compactRevision &&
    equalBytes(a.rows, b.rows);
  return isSame ? "none" : "apply";
}

export function writeProof(bytes: Uint8Array, at: number, proof: Proof): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, proofBytes);
  view.setUint8(0, proof.version);
  view.setFloat64(1, proof.index, true);
  view.setFloat64(9, proof.revision, true);
  view.setFloat64(17, proof.compactRevision, true);
  view.setUint32(25, proof.logChain, true);
  bytes.set(proof.rows, at + rowsAt);
}

export function encodeProof(proof: Proof): Uint8Array {
  const bytes = new Uint8Array(proofBytes);
  writeProof(bytes, 0, proof);
  return bytes;
}

/** Undefined: these bytes hold no proof. */
export function readProof(bytes: Uint8Array, at = 0): Proof | undefined {
  if (bytes.length < at + proofBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, proofBytes);
  return {
    version: view.getUint8(0),
    index: view.getFloat64(1, true),
    revision: view.getFloat64(9, true),
    compactRevision: view.getFloat64(17, true),
    logChain: view.getUint32(25, true),
    rows: bytes.slice(at + rowsAt, at + proofBytes),
  };
}

/** For people and for evidence: what differs, in one line. */
export function describeProof(proof: Proof): string {
  const rows = Buffer.from(proof.rows).toString("hex");
  const chain = proof.logChain.toString(16);
  return `index ${proof.index} revision ${proof.revision} compacted ${proof.compactRevision} log ${chain} rows ${rows}`;
}
