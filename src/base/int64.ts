/** 64-bit integers of the wire as JavaScript numbers. */

/**
 * Saturates at the safe integers. Revisions, limits and TTLs never come near them, so comparisons
 * with them stay right.
 */
export function toSafe(value: bigint): number {
  const number = Math.min(Number(value), Number.MAX_SAFE_INTEGER);
  return Math.max(number, Number.MIN_SAFE_INTEGER);
}
