/**
 * Reads a log back. What one unfinished flush may have left is cut from the last segment; anything
 * else that does not check is damage, and the member refuses to start on it: a log that forgot an
 * acknowledged entry or a vote is worse than a member that is down.
 *
 * The rule: a flush is written only after the one before it is durable. So bytes that fail their
 * check are a torn tail if they lie in the last segment and every whole record behind them belongs
 * to the flush that begins at or before them. A whole record behind them of a later flush proves
 * that they had been durable: damage.
 */
import { DamageError } from "../base/errors.js";
import type { Disk } from "../platform/disk.js";
import type { Entry, HardState, SnapshotMeta } from "../raft/types.js";
import {
  alignment,
  decodeMeta,
  decodeStart,
  isChained,
  type Record,
  RecordType,
  readEntry,
  readFrame,
  readHardState,
  type SegmentStart,
} from "./record.js";

export interface Recovered {
  readonly metadata: { readonly clusterId: bigint; readonly memberId: bigint };
  readonly hardState: HardState;
  /** The log holds what follows this; undefined: it goes back to the founding. */
  readonly snapshot: SnapshotMeta | undefined;
  /** Without a gap, after the snapshot. */
  readonly entries: readonly Entry[];
}

export interface SegmentName {
  readonly name: string;
  readonly sequence: number;
  readonly firstIndex: number;
}

export interface RecoveredTail {
  readonly segments: readonly SegmentName[];
  readonly start: SegmentStart;
  readonly chain: number;
  /** Where the next record goes in the last segment. */
  readonly offset: number;
  /** Bytes behind `offset` that must be zeroed first; 0: none. */
  readonly tornBytes: number;
}

const pattern = /^([0-9a-f]{16})-([0-9a-f]{16})\.wal$/;
const advice =
  "Restore the file from a copy, or remove this member from the cluster and add it anew with an empty data directory";

export function listSegments(disk: Disk, dir: string): SegmentName[] {
  const segments: SegmentName[] = [];
  for (const name of disk.list(dir)) {
    const match = pattern.exec(name);
    if (match === null) continue;
    const [, sequence, firstIndex] = match as unknown as [string, string, string];
    segments.push({
      name,
      sequence: Number.parseInt(sequence, 16),
      firstIndex: Number.parseInt(firstIndex, 16),
    });
  }
  return segments;
}

/** @throws DamageError with file, offset and what to do. */
export function recover(disk: Disk, dir: string): { recovered: Recovered; tail: RecoveredTail } {
  const segments = listSegments(disk, dir);
  const log = new LogBuilder();
  let tail: RecoveredTail | undefined;
  for (const [place, segment] of segments.entries()) {
    const before = segments[place - 1];
    const path = `${dir}/${segment.name}`;
    if (before !== undefined && before.sequence + 1 !== segment.sequence) {
      throw new DamageError(`${path}: the segment before it is missing. ${advice}`);
    }
    const isLast = place === segments.length - 1;
    const read = readSegment(disk, { path, isLast, chain: tail?.chain }, log);
    tail = { segments, ...read };
  }
  if (tail === undefined) throw new DamageError(`${dir}: there is no log segment. ${advice}`);
  return { recovered: log.result(tail.start, dir), tail };
}

function readSegment(
  disk: Disk,
  segment: { readonly path: string; readonly isLast: boolean; readonly chain: number | undefined },
  log: LogBuilder,
): Omit<RecoveredTail, "segments"> {
  const { path, isLast } = segment;
  const file = disk.open(path, "existing");
  const bytes = file.read(0, file.size());
  file.close();
  const first = readFrame(bytes, 0);
  if (first?.type !== RecordType.start) {
    throw new DamageError(`${path}: offset 0: not the start of a log segment. ${advice}`);
  }
  const start = decodeStart(first.payload);
  if (segment.chain !== undefined && segment.chain !== start.chain) {
    throw new DamageError(`${path}: offset 0: does not continue the segment before it. ${advice}`);
  }
  log.begin(start);
  let { chain } = start;
  let at = first.frameBytes;
  for (;;) {
    const record = readFrame(bytes, at);
    if (record === undefined) break;
    if (record.type === RecordType.start || !isChained(bytes, at, chain)) {
      throw new DamageError(`${path}: offset ${at}: a record out of its place. ${advice}`);
    }
    log.add(record, `${path}: offset ${at}`);
    chain = record.chain;
    at += record.frameBytes;
  }
  const tornBytes = usedBytes(bytes, at);
  if (tornBytes > 0 && !isLast) {
    throw new DamageError(
      `${path}: offset ${at}: a damaged record in a finished segment. ${advice}`,
    );
  }
  const later = durableBehind(bytes, at);
  if (later !== undefined) {
    throw new DamageError(
      `${path}: offset ${at}: a damaged record, with later durable records behind it (offset ${later}). ${advice}`,
    );
  }
  return { start, chain, offset: at, tornBytes };
}

/** Bytes behind `at` up to the last one that is not zero. */
function usedBytes(bytes: Uint8Array, at: number): number {
  let end = bytes.length;
  while (end > at && bytes[end - 1] === 0) end--;
  return end - at;
}

/** Offset of a whole record behind `at` whose flush began behind `at` too. */
function durableBehind(bytes: Uint8Array, at: number): number | undefined {
  const end = at + usedBytes(bytes, at);
  for (let place = at + alignment; place < end; place += alignment) {
    // The magic's first byte saves most of the work.
    if (bytes[place + 5] !== 0x4c) continue;
    const record = readFrame(bytes, place);
    if (record !== undefined && place - record.distance > at) return place;
  }
  return undefined;
}

/** Folds records into the log they describe. */
class LogBuilder {
  #entries: Entry[] = [];
  #hardState: HardState = { term: 0, vote: 0n, commit: 0 };
  #marker: SnapshotMeta | undefined;

  begin(start: SegmentStart): void {
    this.#hardState = start.hardState;
    this.#marker = start.marker;
  }

  add(record: Record, place: string): void {
    switch (record.type) {
      case RecordType.entry:
        this.#append(readEntry(record.payload), place);
        break;
      case RecordType.hardState:
        this.#hardState = readHardState(record.payload);
        break;
      case RecordType.installed:
        this.#marker = decodeMeta(record.payload);
        this.#entries = [];
        break;
      case RecordType.compacted:
        this.#marker = decodeMeta(record.payload);
        break;
      default:
        break;
    }
  }

  #append(entry: Entry, place: string): void {
    const first = this.#entries[0];
    const last = this.#entries.at(-1);
    if (first === undefined || last === undefined) {
      this.#entries.push(entry);
      return;
    }
    if (entry.index > last.index + 1) {
      throw new DamageError(
        `${place}: entry ${entry.index} after entry ${last.index}: entries are missing. ${advice}`,
      );
    }
    if (entry.index <= last.index) {
      this.#entries.length = Math.max(0, entry.index - first.index);
    }
    this.#entries.push(entry);
  }

  result(start: SegmentStart, dir: string): Recovered {
    const marker = this.#marker;
    const first = this.#entries[0];
    if (marker !== undefined && first !== undefined && first.index > marker.index + 1) {
      throw new DamageError(
        `${dir}: the log begins at entry ${first.index}, but is needed from ${marker.index + 1} on. ${advice}`,
      );
    }
    const from = marker?.index ?? 0;
    return {
      metadata: { clusterId: start.clusterId, memberId: start.memberId },
      hardState: this.#hardState,
      snapshot: marker,
      entries: this.#entries.filter((entry) => entry.index > from),
    };
  }
}
