/**
 * Reads a piece of a state that leaves this member. A row that fails its check value is never sent.
 */
import type { BackendReader } from "../platform/backend.js";
import { openRow } from "../state/rows.js";
import { type Cursor, type RowChunk, readChunk } from "./row-chunk.js";

/** As `readChunk`. @throws DamageError */
export function readSoundChunk(reader: BackendReader, cursor: Cursor, bytesMax: number): RowChunk {
  const chunk = readChunk(reader, cursor, bytesMax);
  for (const { bucket, key, value } of chunk.rows) {
    if (value !== undefined) openRow(bucket, key, value);
  }
  return chunk;
}
