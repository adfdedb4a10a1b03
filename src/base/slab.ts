/**
 * Cuts small byte arrays from large ones. A typed array of its own needs an allocation outside the
 * heap, which costs several times as much as a view. A slab lives as long as any array cut from it,
 * so use this for bytes that are released together soon: rows and entries on their way to disk.
 */

const slabBytes = 256 * 1024;
/** For more bytes than this, a separate array is cheaper than the waste at a slab's end. */
const cutBytesMax = 16 * 1024;

let slab = new Uint8Array(slabBytes);
let used = 0;

/** Zeroed bytes for the caller to fill and keep. */
export function cutBytes(length: number): Uint8Array {
  if (length > cutBytesMax) return new Uint8Array(length);
  if (used + length > slabBytes) {
    slab = new Uint8Array(slabBytes);
    used = 0;
  }
  const bytes = slab.subarray(used, used + length);
  used += length;
  return bytes;
}
