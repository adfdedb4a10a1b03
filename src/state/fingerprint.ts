/**
 * What a member sends about its state with each raft message (docs/integrity.md): the fingerprint
 * at the last index that it applied, and the version of its digests. Fixed layout, little-endian:
 * version (1), index (8), revision (8), compact revision (8), log chain (4), rows (16).
 */
import { copyBytes, equalBytes } from "../base/bytes.js";

/** What members compare at each index. It fits into messages, and is as good as the root digest. */
export interface Fingerprint {
  /** The version of the digests. Fingerprints of different versions cannot be compared. */
  readonly version: number;
  readonly index: number;
  readonly revision: number;
  /** -1 before the first compaction. */
  readonly compactRevision: number;
  /** See log-chain.ts. */
  readonly logChain: number;
  /** The sum of the hashes of all rows: `fingerprintBytes` bytes. */
  readonly rows: Uint8Array;
}

/** Bytes of the row sum that members compare at each index. */
export const fingerprintBytes = 16;
const rowsAt = 1 + 3 * 8 + 4;
export const encodedFingerprintBytes = rowsAt + fingerprintBytes;

/**
 * What two fingerprints of one index and version show: no difference, another log, or an entry that
 * was applied differently.
 */
export type Difference = "none" | "log" | "apply";

/** Compares two fingerprints, which must have the same index and version. */
export function differenceOf(a: Fingerprint, b: Fingerprint): Difference {
  if (a.logChain !== b.logChain) return "log";
  const isSame =
    a.revision === b.revision &&
    a.compactRevision === b.compactRevision &&
    equalBytes(a.rows, b.rows);
  return isSame ? "none" : "apply";
}

/** Writes the fixed layout above: `encodedFingerprintBytes` bytes at `at`. */
export function writeFingerprint(bytes: Uint8Array, at: number, fingerprint: Fingerprint): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, encodedFingerprintBytes);
  view.setUint8(0, fingerprint.version);
  view.setFloat64(1, fingerprint.index, true);
  view.setFloat64(9, fingerprint.revision, true);
  view.setFloat64(17, fingerprint.compactRevision, true);
  view.setUint32(25, fingerprint.logChain, true);
  bytes.set(fingerprint.rows, at + rowsAt);
}

export function encodeFingerprint(fingerprint: Fingerprint): Uint8Array {
  const bytes = new Uint8Array(encodedFingerprintBytes);
  writeFingerprint(bytes, 0, fingerprint);
  return bytes;
}

/** Undefined: the bytes hold no fingerprint. */
export function readFingerprint(bytes: Uint8Array, at = 0): Fingerprint | undefined {
  if (bytes.length < at + encodedFingerprintBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, encodedFingerprintBytes);
  return {
    version: view.getUint8(0),
    index: view.getFloat64(1, true),
    revision: view.getFloat64(9, true),
    compactRevision: view.getFloat64(17, true),
    logChain: view.getUint32(25, true),
    rows: copyBytes(bytes.subarray(at + rowsAt, at + encodedFingerprintBytes)),
  };
}

/** One line for people and for evidence. */
export function describeFingerprint(fingerprint: Fingerprint): string {
  const rows = Buffer.from(fingerprint.rows).toString("hex");
  const chain = fingerprint.logChain.toString(16);
  return `index ${fingerprint.index} revision ${fingerprint.revision} compacted ${fingerprint.compactRevision} log ${chain} rows ${rows}`;
}
