/** FNV-1a of 32 bits (draft-eastlake-fnv). Spreads well and is cheap; it is no check of integrity. */

const offsetBasis = 0x811c9dc5;
const prime = 0x01000193;

/**
 * The hash of a text's 16-bit units: of its bytes, if it is latin-1. A whole number below 2^32.
 *
 * @param seed the hash of the text before this one
 */
export function fnv1a(text: string, seed = offsetBasis): number {
  let hash = seed;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), prime);
  return hash >>> 0;
}
