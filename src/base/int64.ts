/** 64-bit integers of the wire as JavaScript numbers. */

/**
 * Saturates at the safe integers. What is compared with a revision, a limit or a TTL loses nothing
 * by that: the real ones never come near.
 */
export function toSafe(value: bigint): number {
  const number = Math.min(Number(value), Number.MAX_SAFE_INTEGER);
  return Math.max(number, Number.MIN_SAFE_INTEGER);
}
