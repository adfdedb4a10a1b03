/**
 * Requests of a member in quarantine to the leader. Layout: one byte of kind, then an index (8
 * bytes, float64, little-endian).
 */
export const HealRequest = {
  /** "My state is wrong from this index on. I found it out alone: put it into the log." */
  report: 1,
  /** "May I fetch a right state now?" */
  mayHeal: 2,
  /**
   * "I am right again at this index. Write an entry, so that there is another index to compare."
   */
  probe: 3,
  /** "I was right at this index and at an earlier one: clear me." */
  clear: 4,
} as const;
export type HealRequest = (typeof HealRequest)[keyof typeof HealRequest];

/** Nine bytes in the layout above. `index`: the log index that the request is about. */
export function encodeHealRequest(kind: HealRequest, index: number): Uint8Array {
  const bytes = new Uint8Array(9);
  bytes[0] = kind;
  new DataView(bytes.buffer).setFloat64(1, index, true);
  return bytes;
}

/** Undefined: the bytes are no heal request. */
export function decodeHealRequest(
  bytes: Uint8Array,
): { readonly kind: number; readonly index: number } | undefined {
  if (bytes.length !== 9) return undefined;
  const index = new DataView(bytes.buffer, bytes.byteOffset, 9).getFloat64(1, true);
  return { kind: bytes[0] as number, index };
}
