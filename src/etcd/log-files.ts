/**
 * Reads etcd's write-ahead log: the records of its segments in order, each checked by its CRC.
 *
 * A segment is a row of frames: length u64 little-endian (the low 56 bits; if the top bit is set, the
 * low three bits of the top byte are the number of zeros behind the record), then the record, a
 * walpb.Record {type=1, crc=2, data=3}. The CRC-32C runs on over the data of all records; a record of
 * type 4 at the start of a segment repeats it. Zeros after the last frame are space not yet used.
 */
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { copyBytes } from "../base/bytes.js";
import { crc32c } from "../base/crc32c.js";
import { EtcdFileError } from "./file-error.js";

export interface LogSegment {
  /** The name of the file: "<sequence>-<first index>.wal", both as 16 hexadecimal digits. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface EtcdLogEntry {
  readonly term: number;
  readonly index: number;
  /** 0: a request; 1 and 2: a change of the members. */
  readonly type: number;
  readonly data: Uint8Array;
}

export interface EtcdLog {
  /** The entries, ascending without gaps. */
  readonly entries: readonly EtcdLogEntry[];
  /** The last index that this member knew to be committed. */
  readonly committed: number;
}

const RecordType = { entry: 2, state: 3, crc: 4 } as const;
const frameBytes = 8;
const sectorBytes = 512;
const nothing: Uint8Array = new Uint8Array(0);
const segmentName = /^[0-9a-f]{16}-[0-9a-f]{16}\.wal$/;

export function isSegmentName(name: string): boolean {
  return segmentName.test(name);
}

/**
 * The entries after index `after`. A record that a crash cut off at the end of the last segment is
 * dropped, as etcd does. @throws EtcdFileError for any other damage, naming file and offset
 */
export function readEtcdLog(segments: Iterable<LogSegment>, after: number): EtcdLog {
  const reading = new LogReading(after);
  let before: LogSegment | undefined;
  for (const segment of segments) {
    if (before !== undefined) {
      const sequence = (name: string): number => Number.parseInt(name.slice(0, 16), 16);
      if (sequence(segment.name) !== sequence(before.name) + 1) {
        throw new EtcdFileError(
          `the log lacks the segment between ${before.name} and ${segment.name}`,
        );
      }
      reading.read(before, false);
    }
    before = segment;
  }
  if (before === undefined) throw new EtcdFileError("the folder of the log has no .wal file");
  reading.read(before, true);
  return reading.result();
}

class LogReading {
  readonly #after: number;
  #crc = 0;
  #entries: EtcdLogEntry[] = [];
  #committed = 0;
  #first: number | undefined;
  #last: number | undefined;

  constructor(after: number) {
    this.#after = after;
  }

  read(segment: LogSegment, isLast: boolean): void {
    const { bytes, name } = segment;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    let at = 0;
    while (at + frameBytes <= bytes.length) {
      const low = view.getUint32(at, true);
      const high = view.getUint32(at + 4, true);
      if (low === 0 && high === 0) return;
      const size = low + (high & 0x00ff_ffff) * 0x1_0000_0000;
      const padding = high >= 0x8000_0000 ? (high >>> 24) & 7 : 0;
      const from = at + frameBytes;
      const end = from + size + padding;
      const frame = bytes.subarray(from, Math.min(end, bytes.length));
      const problem =
        end > bytes.length ? "ends beyond the file" : this.#take(frame.subarray(0, size));
      if (problem !== undefined) {
        if (isLast && (end > bytes.length || isTorn(frame, from))) return;
        throw new EtcdFileError(`${name}: the record at byte ${at} ${problem}: the log is damaged`);
      }
      at = end;
    }
  }

  result(): EtcdLog {
    const first = this.#first;
    if (first !== undefined && first > this.#after + 1) {
      throw new EtcdFileError(
        `the log begins at entry ${first}, but the backend ends at ${this.#after}: entries between them are missing`,
      );
    }
    const last = Math.max(this.#last ?? 0, this.#after);
    if (this.#committed > last) {
      throw new EtcdFileError(
        `the log says that entry ${this.#committed} is committed, but ends at ${last}: entries are missing`,
      );
    }
    return { entries: this.#entries, committed: this.#committed };
  }

  /** Takes a record. A text says what is wrong with it. */
  #take(record: Uint8Array): string | undefined {
    let fields: ReturnType<typeof readRecord>;
    try {
      fields = readRecord(record);
    } catch {
      return "cannot be read";
    }
    const { type, crc, data } = fields;
    if (type === RecordType.crc) {
      if (this.#crc !== 0 && this.#crc !== crc) return "does not continue the one before";
      this.#crc = crc;
      return undefined;
    }
    const sum = crc32c(data, this.#crc);
    if (sum !== crc) return "fails its checksum";
    this.#crc = sum;
    try {
      if (type === RecordType.entry && !this.#addEntry(readEntry(data))) return "holds no entry";
      if (type === RecordType.state) this.#committed = readCommit(data);
    } catch {
      return "holds no entry";
    }
    return undefined;
  }

  /**
   * An entry replaces all from its index on. The checksum does not cover a record's type: a record of
   * another type that reads as an entry has no term or no index, or leaves a gap.
   */
  #addEntry(entry: EtcdLogEntry): boolean {
    const { term, index } = entry;
    if (term === 0 || index === 0 || index > (this.#last ?? index) + 1) return false;
    this.#first = Math.min(this.#first ?? index, index);
    this.#last = index;
    while ((this.#entries.at(-1)?.index ?? 0) >= index) this.#entries.pop();
    if (index > this.#after) this.#entries.push({ ...entry, data: copyBytes(entry.data) });
    return true;
  }
}

/**
 * True if a crash may have torn the frame. As in etcd, a sector of zeros inside the record was
 * never written.
 */
function isTorn(frame: Uint8Array, from: number): boolean {
  for (let at = 0; at < frame.length; ) {
    const next = Math.min(frame.length, at + sectorBytes - ((from + at) % sectorBytes));
    if (frame.subarray(at, next).every((byte) => byte === 0)) return true;
    at = next;
  }
  return false;
}

function readRecord(bytes: Uint8Array): { type: number; crc: number; data: Uint8Array } {
  const reader = new BinaryReader(bytes);
  const record = { type: 0, crc: 0, data: nothing };
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === 8) record.type = Number(reader.int64());
    else if (tag === 16) record.crc = reader.uint32();
    else if (tag === 26) record.data = reader.bytes();
    else reader.skip(tag & 7);
  }
  return record;
}

/** Decodes raftpb.Entry {Type=1, Term=2, Index=3, Data=4}. */
function readEntry(bytes: Uint8Array): EtcdLogEntry {
  const reader = new BinaryReader(bytes);
  const entry = { type: 0, term: 0, index: 0, data: nothing };
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === 8) entry.type = reader.int32();
    else if (tag === 16) entry.term = Number(reader.uint64());
    else if (tag === 24) entry.index = Number(reader.uint64());
    else if (tag === 34) entry.data = reader.bytes();
    else reader.skip(tag & 7);
  }
  return entry;
}

/** Reads the commit index of raftpb.HardState {term=1, vote=2, commit=3}. */
function readCommit(bytes: Uint8Array): number {
  const reader = new BinaryReader(bytes);
  let commit = 0;
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === 24) commit = Number(reader.uint64());
    else reader.skip(tag & 7);
  }
  return commit;
}
