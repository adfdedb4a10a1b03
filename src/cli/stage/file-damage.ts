/**
 * Damages a stopped member's files on purpose, as crashes, disks and operators do. Works on the
 * files of lockstep and of etcd: both keep a log in `*.wal` segments that are filled with zeros
 * ahead.
 */
import {
  closeSync,
  fstatSync,
  fsyncSync,
  openSync,
  readdirSync,
  readSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import type { Rng } from "../../platform/rng.js";

const frameAlignment = 8;
const chunkBytes = 1 << 20;
const tornBytesMax = 400;

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
  const chunk = Buffer.alloc(chunkBytes);
  let end = fstatSync(file).size;
  while (end > 0) {
    const from = Math.max(0, end - chunkBytes);
    const length = readSync(file, chunk, 0, end - from, from);
    for (let at = length - 1; at >= 0; at--) if (chunk[at] !== 0) return from + at + 1;
    end = from;
  }
  return 0;
}

/**
 * Leaves at the end of a log what a power cut leaves: part of a record that was being written when
 * the member died. It stands after the last byte of the valid records, at the alignment of frames,
 * so it can never touch what was acknowledged. @returns what was done, for people
 */
export function tearTail(dataDir: string, rng: Pick<Rng, "int">): string {
  const path = newestSegment(dataDir);
  const file = openSync(path, "r+");
  try {
    const at = Math.ceil(endOfData(file) / frameAlignment) * frameAlignment;
    const torn = Buffer.from(Array.from({ length: 1 + rng.int(tornBytesMax) }, () => rng.int(256)));
    writeSync(file, torn, 0, torn.length, at);
    return `${torn.length} torn bytes at ${at} of ${path}`;
  } finally {
    closeSync(file);
  }
}

/** Flips the lowest bit of one byte. */
export function flipByteAt(path: string, at: number): void {
  const file = openSync(path, "r+");
  try {
    const byte = Buffer.alloc(1);
    readSync(file, byte, 0, 1, at);
    byte[0] = (byte[0] as number) ^ 1;
    writeSync(file, byte, 0, 1, at);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Cuts a file to a share of its length, at a multiple of a page. */
export function truncateToShare(path: string, share: number): void {
  const file = openSync(path, "r");
  const { size } = fstatSync(file);
  closeSync(file);
  truncateSync(path, Math.floor((size * share) / 4096) * 4096);
}

/** Flips a byte of the newest segment of the log, at this share of what is written there. */
export function flipLog(dataDir: string, share: number): void {
  const path = newestSegment(dataDir);
  const file = openSync(path, "r");
  const end = endOfData(file);
  closeSync(file);
  flipByteAt(path, Math.min(end - 1, Math.floor(end * share)));
}
