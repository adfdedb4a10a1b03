/** What a member in quarantine asks of the leader: one kind byte and an index (8 bytes, little-endian). */
export const HealRequest = {
  /** My state is wrong from this index on, as I found out alone: say so in the log. */
  report: 1,
  /** May I fetch a right one now? */
  mayHeal: 2,
  /** I am right again at this index: let there be another one to compare. */
  probe: 3,
  /** I was right at this index and an earlier one: clear me. */
  clear: 4,
} as const;
export type HealRequest = (typeof HealRequest)[keyof typeof HealRequest];

export function encodeHealRequest(kind: HealRequest, index: number): Uint8Array {
  const bytes = new Uint8Array(9);
  bytes[0] = kind;
  new DataView(bytes.buffer).setFloat64(1, index, true);
  return bytes;
}

/** Undefined: not a heal request. */
export function decodeHealRequest(
  bytes: Uint8Array,
): { readonly kind: number; readonly index: number } | undefined {
  if (bytes.length !== 9) return undefined;
  const index = new DataView(bytes.buffer, bytes.byteOffset, 9).getFloat64(1, true);
  return { kind: bytes[0] as number, index };
}
