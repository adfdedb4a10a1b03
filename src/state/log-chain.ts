/**
 * A running checksum of the log that made a state: CRC-32C over index, term, type, length and data
 * of each entry, each seeded with the one before. It stands beside the digests. If two members have
 * equal chains but different rows, one applied an entry differently. If their chains differ, they
 * applied different logs: an entry was lost, doubled or replaced. A member can also check this
 * alone at its start, against its own log.
 */
import { crc32c, crc32cWord } from "../base/crc32c.js";
import type { Entry } from "../raft/types.js";

/** The chain after `entry`, from the one before it; unsigned 32 bits. */
export function chainOf(before: number, entry: Entry): number {
  let chain = crc32cWord(entry.index | 0, before);
  chain = crc32cWord(entry.term | 0, chain);
  chain = crc32cWord((entry.type << 28) ^ entry.data.length, chain);
  return crc32c(entry.data, chain);
}
