/** Converts 64-bit integers of the wire into JavaScript numbers. */

/**
 * Converts, and saturates at the safe integers. Revisions, limits and TTLs never come near them, so
 * comparisons with them stay right.
 */
export function toSafe(value: bigint): number {
  const number = Math.min(Number(value), Number.MAX_SAFE_INTEGER);
  return Math.max(number, Number.MIN_SAFE_INTEGER);
}
