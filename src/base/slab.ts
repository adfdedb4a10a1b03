/**
 * Small byte arrays cut from large ones: a typed array of its own costs an allocation outside the
 * heap, several times what a view costs. A slab lives as long as any array cut from it, so this is
 * for bytes that go together soon after: rows and entries on their way to disk.
 */

const slabBytes = 256 * 1024;
/** Above this an array of its own is cheaper than the waste at a slab's end. */
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
