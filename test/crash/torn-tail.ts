/**
 * What a power cut leaves at the end of a log: part of a record that was being written when the
 * member died. Written after the last byte of the valid records, at the alignment of frames, so it
 * can never touch what was acknowledged.
 */
import { closeSync, fstatSync, openSync, readdirSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { SeededRng } from "../support/seeded-rng.js";

const FRAME_ALIGNMENT = 8;
const CHUNK_BYTES = 1 << 20;
const TORN_BYTES_MAX = 400;

/** The segment of the write-ahead log that is written to, whose name sorts last. */
export function newestSegment(dataDir: string): string {
  const segments = readdirSync(dataDir, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".wal"))
    .sort((x, y) => ((x.split("/").at(-1) ?? "") < (y.split("/").at(-1) ?? "") ? -1 : 1));
  const newest = segments.at(-1);
  if (newest === undefined) throw new Error(`no write-ahead log in ${dataDir}`);
  return join(dataDir, newest);
}

/** Position after the last byte that is not zero; segments are allocated ahead with zeros. */
export function endOfData(file: number): number {
  const chunk = Buffer.alloc(CHUNK_BYTES);
  let end = fstatSync(file).size;
  while (end > 0) {
    const from = Math.max(0, end - CHUNK_BYTES);
    const length = readSync(file, chunk, 0, end - from, from);
    for (let at = length - 1; at >= 0; at--) if (chunk[at] !== 0) return from + at + 1;
    end = from;
  }
  return 0;
}

/** @returns what was done, for the report of a failing round. */
export function tearTail(dataDir: string, rng: SeededRng): string {
  const path = newestSegment(dataDir);
  const file = openSync(path, "r+");
  try {
    const at = Math.ceil(endOfData(file) / FRAME_ALIGNMENT) * FRAME_ALIGNMENT;
    const torn = Buffer.from(
      Array.from({ length: 1 + rng.int(TORN_BYTES_MAX) }, () => rng.int(256)),
    );
    writeSync(file, torn, 0, torn.length, at);
    return `${torn.length} torn bytes at ${at} of ${path}`;
  } finally {
    closeSync(file);
  }
}
