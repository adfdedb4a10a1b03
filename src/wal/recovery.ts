/**
 * Reads a log back. It cuts the remains of one unfinished flush from the last segment. Any other
 * bytes that fail their check are damage, and the member refuses to start: if its log forgot an
 * acknowledged entry or a vote, the member could harm the cluster, and a stopped member cannot.
 *
 * The rule: a flush is written only after the one before it is durable. So bytes that fail their
 * check, or do not continue the chain, are a torn tail if they are in the last segment and every
 * whole record behind them belongs to the flush that begins at or before them. A whole record of a
 * later flush behind them proves that they were durable once: then they are damage.
 */

import { crc32cWord } from "../base/crc32c.js";
import { DamageError, StartError } from "../base/errors.js";
import type { Disk, DiskFile } from "../platform/disk.js";
import { alignment, RecordFrameReader, RecordType } from "./frame.js";
import { type LogContent, LogFold } from "./log-fold.js";
import { decodeStart, type LogIdentity, type SegmentStart } from "./payload.js";
import { listSegments, type SegmentName } from "./segments.js";

export interface Recovered extends LogContent {
  readonly metadata: LogIdentity;
}

/** Where the log continues. */
export interface RecoveredTail {
  readonly segments: readonly SegmentName[];
  readonly start: SegmentStart;
  readonly chain: number;
  /** Offset in the last segment of the last flush of which anything is left. */
  readonly flushOffset: number;
  /** The content of the last segment from there on: whole batches. */
  readonly flushBytes: Uint8Array;
  /** How many bytes behind `flushBytes` must be zeroed first; 0: none. */
  readonly tornBytes: number;
}

/**
 * Counts the work of a slice. A unit is a record, or a KiB. True: the slice is used up, so pause now.
 */
export interface SliceBudget {
  spend(units: number): boolean;
}

/** How much is read, or looked at, between two looks at the budget. */
const pieceBytes = 256 * 1024;
const pieceUnits = pieceBytes / 1024;

const advice =
  "Restore the file from a copy, or remove this member from the cluster and add it anew with an empty data directory";

interface Recovery {
  readonly recovered: Recovered;
  readonly tail: RecoveredTail;
}

/** `recoverInSlices` without pauses. */
export function recover(disk: Disk, dir: string): Recovery {
  return runThrough(recoverInSlices(disk, dir, { spend: () => false }));
}

/**
 * Works with pauses, in which nothing may write to the log. @throws DamageError with file, offset and
 * advice; StartError for files of another program
 */
export function* recoverInSlices(
  disk: Disk,
  dir: string,
  budget: SliceBudget,
): Generator<undefined, Recovery> {
  const segments = listSegments(disk, dir);
  const [oldest] = segments;
  if (oldest === undefined) throw damage(dir, "there is no log segment");
  const log = new LogFold();
  let before: SegmentEnd | undefined;
  for (const [place, segment] of segments.entries()) {
    const path = `${dir}/${segment.name}`;
    if (segment.sequence !== oldest.sequence + place) {
      throw damage(path, "the segment before it is missing");
    }
    const isLast = place === segments.length - 1;
    const bytes = yield* readFile(disk, path, budget);
    before = yield* readSegment({ path, bytes, isLast, before, budget }, log);
  }
  const { start, ...end } = before as SegmentEnd;
  const needed = log.firstNeeded();
  if (oldest.firstIndex > needed) {
    throw damage(dir, `the log begins at ${oldest.firstIndex}, but is needed from ${needed} on`);
  }
  const { clusterId, memberId, incarnation, isJoiner } = start;
  return {
    recovered: { metadata: { clusterId, memberId, incarnation, isJoiner }, ...log.content() },
    tail: { segments, start, ...end },
  };
}

type SegmentEnd = Omit<RecoveredTail, "segments">;

interface SegmentSource {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly isLast: boolean;
  readonly before: SegmentEnd | undefined;
  readonly budget: SliceBudget;
}

function* readSegment(source: SegmentSource, log: LogFold): Generator<undefined, SegmentEnd> {
  const { path, bytes, budget } = source;
  const { start, startBytes } = readStart(source);
  log.begin(start);
  const frames = new RecordFrameReader(bytes, start.salt);
  let at = startBytes;
  let { chain } = start;
  // The end of the last whole batch. A batch without its end counts as never written.
  let end = { offset: at, chain, flushOffset: at };
  for (let frame = frames.read(at); frame !== undefined; frame = frames.read(at)) {
    const next = crc32cWord(frame.own, chain);
    // A write that is torn between the two checks leaves a record that passes only its own.
    if (next !== frame.chain) break;
    chain = next;
    log.add(frame, `${path}: offset ${at}`);
    const flushOffset = Math.max(startBytes, at - frame.distance);
    at += frame.frameBytes;
    if (frame.isBatchEnd) end = { offset: at, chain, flushOffset };
    if (budget.spend(1 + frame.frameBytes / 1024)) yield;
  }
  log.dropUnfinished();
  const tornBytes = yield* usedBytes(bytes, end.offset, budget);
  if (tornBytes > 0) yield* refuseDurable(source, frames, at);
  return {
    start,
    chain: end.chain,
    flushOffset: end.flushOffset,
    flushBytes: bytes.subarray(end.flushOffset, end.offset),
    tornBytes,
  };
}

/**
 * Reads the first record of a segment. `before` describes the end of the segment before. @throws
 * DamageError, StartError
 */
export function readStart(source: {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly before: Pick<SegmentEnd, "start" | "chain"> | undefined;
}): { readonly start: SegmentStart; readonly startBytes: number } {
  const { path, bytes, before } = source;
  const place = `${path}: offset 0`;
  const frame = new RecordFrameReader(bytes, 0).read(0);
  if (frame?.type !== RecordType.start) throw damage(place, "not the start of a log segment");
  const start = decodeStart(frame.payload);
  if (start === undefined) {
    throw new StartError(
      `${path} was written by another version of this program, or by another program: start that one, or choose another --data-dir`,
    );
  }
  if (before !== undefined) {
    const { clusterId, memberId, salt, incarnation } = before.start;
    const isSame =
      start.clusterId === clusterId &&
      start.memberId === memberId &&
      start.salt === salt &&
      start.incarnation === incarnation;
    if (!isSame) throw damage(place, "it belongs to another log than the segment before it");
    if (start.chain !== before.chain) {
      throw damage(place, "it does not continue the segment before it");
    }
  }
  return { start, startBytes: frame.frameBytes };
}

/**
 * Called for bytes at `at` that fail their check. @throws DamageError unless one unfinished flush
 * explains them
 */
function* refuseDurable(
  source: SegmentSource,
  frames: RecordFrameReader,
  at: number,
): Generator<undefined, void> {
  const { path, bytes, isLast, budget } = source;
  const place = `${path}: offset ${at}`;
  if (!isLast) throw damage(place, "a damaged record in a finished segment");
  const end = at + (yield* usedBytes(bytes, at, budget));
  // The inside of a record with a good head is skipped: a payload may look like anything.
  const from = at + (frames.extent(at) ?? alignment);
  for (let later = from; later < end; later += alignment) {
    const frame = frames.read(later);
    if (frame !== undefined && later - frame.distance > at) {
      throw damage(place, `a damaged record, with a later durable one behind it (offset ${later})`);
    }
    if (budget.spend(alignment / 1024)) yield;
  }
}

/** The number of bytes behind `at`, up to the last one that is not zero. */
function* usedBytes(
  bytes: Uint8Array,
  at: number,
  budget: SliceBudget,
): Generator<undefined, number> {
  let end = bytes.length;
  while (end > at && bytes[end - 1] === 0) {
    const stop = Math.max(at, end - pieceBytes);
    while (end > stop && bytes[end - 1] === 0) end--;
    if (budget.spend(pieceUnits)) yield;
  }
  return end - at;
}

function* readFile(
  disk: Disk,
  path: string,
  budget: SliceBudget,
): Generator<undefined, Uint8Array> {
  const bytes = new Uint8Array(withFile(disk, path, (file) => file.size()));
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    // No file stays open in a pause: a start that is given up does not come back to close it.
    bytes.set(
      withFile(disk, path, (file) => file.read(at, Math.min(pieceBytes, bytes.length - at))),
      at,
    );
    if (budget.spend(pieceUnits)) yield;
  }
  return bytes;
}

function withFile<T>(disk: Disk, path: string, use: (file: DiskFile) => T): T {
  const file = disk.open(path, "existing");
  try {
    return use(file);
  } finally {
    file.close();
  }
}

function runThrough<T>(steps: Generator<undefined, T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

function damage(place: string, what: string): DamageError {
  return new DamageError({ where: place, finding: what, advice });
}
