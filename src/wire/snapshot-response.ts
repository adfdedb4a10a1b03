/**
 * SnapshotResponse without a header, encoded by hand: a snapshot is sent in thousands of pieces, and
 * the generated encoder copies each of them twice.
 */
import { delimitedLength, fieldLength, writeDelimited, writeField } from "./protobuf-writer.js";

const remainingTag = 0x10;
const blobTag = 0x1a;
const versionTag = 0x22;

/** `remainingBytes`: a safe integer. `version`: UTF-8. */
export function encodeSnapshotPiece(
  blob: Uint8Array,
  remainingBytes: number,
  version: Uint8Array,
): Uint8Array {
  const out = Buffer.allocUnsafe(fieldLength(remainingBytes) + lengthOf(blob) + lengthOf(version));
  let at = writeField(out, 0, remainingTag, remainingBytes);
  if (blob.length > 0) at = writeDelimited(out, at, blobTag, blob);
  if (version.length > 0) writeDelimited(out, at, versionTag, version);
  return out;
}

/** An empty field is left out. */
function lengthOf(bytes: Uint8Array): number {
  return bytes.length === 0 ? 0 : delimitedLength(bytes.length);
}
