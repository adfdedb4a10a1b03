/** How many bytes an entry counts against a limit. */
import type { Entry } from "../types.js";

/** Bytes for term, index, type and lengths of an encoded entry, rounded up. */
export const entryOverheadBytes = 24;

/** The encoded size of an entry, within a few bytes. */
export function entryBytes(entry: Entry): number {
  return entry.data.length + entryOverheadBytes;
}

/** The sum of the data sizes. An empty entry counts nothing, so that no limit refuses it. */
export function payloadBytes(entries: readonly { readonly data: Uint8Array }[]): number {
  let bytes = 0;
  for (const entry of entries) bytes += entry.data.length;
  return bytes;
}
