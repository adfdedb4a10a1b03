/**
 * Reads a segment again while the log is in use. It checks the same frames and the same chain as a
 * restart, but window by window, so that no step holds up a turn. It reads only what cannot change
 * any more: a finished segment, or the durable part of the last one. It never writes.
 *
 * It is stricter than a restart: nothing here may be a torn tail.
 */
import { crc32cWord } from "../base/crc32c.js";
import type { DiskFile } from "../platform/disk.js";
import { headerBytes, RecordFrameReader } from "./frame.js";
import type { SegmentStart } from "./payload.js";
import { readStart } from "./recovery.js";
import type { WalExtent } from "./wal.js";

const windowBytes = 64 * 1024;

/** The end of a segment, which the next segment must continue. */
export interface SegmentLink {
  readonly start: SegmentStart;
  readonly chain: number;
}

export interface SegmentDamage {
  readonly offset: number;
  readonly what: string;
}

export interface CheckedSegment {
  /** The segment's path, for messages. */
  readonly path: string;
  readonly file: DiskFile;
  readonly before: SegmentLink | undefined;
  /** The durable part of the segment that is written to. Undefined: the segment is finished. */
  readonly durable: WalExtent["durable"] | undefined;
}

export class SegmentCheck {
  readonly #segment: CheckedSegment;
  readonly #limit: number;
  #start: SegmentStart | undefined;
  /** Offset of the next record. */
  #at = 0;
  #chain = 0;
  /** Offset of the end of the last whole batch. */
  #batchEnd = 0;
  #wanted = windowBytes;
  /** After the records only zeros may follow; they are checked up to here. */
  #zerosTo: number | undefined;
  #isDone = false;
  #damage: SegmentDamage | undefined;

  constructor(segment: CheckedSegment) {
    this.#segment = segment;
    this.#limit = segment.durable?.offset ?? segment.file.size();
  }

  /**
   * Reads one more window and returns its bytes. 0: the check has ended, see `damage`. @throws EIO
   * and the like
   */
  step(): number {
    if (this.#isDone) return 0;
    if (this.#zerosTo !== undefined) return this.#stepZeros(this.#zerosTo);
    const length = Math.min(Math.max(this.#wanted, windowBytes), this.#limit - this.#at);
    const bytes = this.#segment.file.read(this.#at, length);
    if (bytes.length < length) this.#refuse("the file is too short");
    else if (this.#start === undefined) this.#readStart(bytes);
    else this.#readFrames(bytes, this.#start);
    return Math.max(1, bytes.length);
  }

  /** The offset up to which records are checked. */
  offset(): number {
    return this.#at;
  }

  damage(): SegmentDamage | undefined {
    return this.#damage;
  }

  /** The segment's end. Undefined: the segment is damaged, or not read to its end. */
  end(): SegmentLink | undefined {
    const isWhole = this.#isDone && this.#damage === undefined;
    return isWhole && this.#start !== undefined
      ? { start: this.#start, chain: this.#chain }
      : undefined;
  }

  #readStart(bytes: Uint8Array): void {
    const { path, before } = this.#segment;
    try {
      const { start, startBytes } = readStart({ path, bytes, before });
      this.#start = start;
      this.#at = startBytes;
      this.#batchEnd = startBytes;
      this.#chain = start.chain;
    } catch (error) {
      this.#refuse((error as Error).message);
      return;
    }
    if (this.#at >= this.#limit) this.#recordsEnded();
  }

  #readFrames(bytes: Uint8Array, start: SegmentStart): void {
    const frames = new RecordFrameReader(bytes, start.salt);
    let at = 0;
    for (let frame = frames.read(at); frame !== undefined; frame = frames.read(at)) {
      this.#chain = crc32cWord(frame.own, this.#chain);
      if (this.#chain !== frame.chain) {
        this.#refuse("a record out of its place");
        return;
      }
      at += frame.frameBytes;
      this.#at += frame.frameBytes;
      if (frame.isBatchEnd) this.#batchEnd = this.#at;
    }
    if (this.#at >= this.#limit) this.#recordsEnded();
    else if (!this.#continuesBehind(frames, at, bytes.length)) this.#unreadable();
  }

  /** True if the record at `at` goes on behind the window. `#wanted` then covers all of it. */
  #continuesBehind(frames: RecordFrameReader, at: number, length: number): boolean {
    const left = this.#limit - this.#at;
    const payload = frames.payloadBytes(at);
    if (payload === undefined) {
      this.#wanted = windowBytes;
      return at + headerBytes > length && left > length - at;
    }
    this.#wanted = headerBytes + payload;
    return this.#wanted > length - at && this.#wanted <= left;
  }

  /** Ends the check because no record stands at `#at`. */
  #unreadable(): void {
    if (this.#segment.durable !== undefined) this.#refuse("a damaged record");
    else this.#zerosTo = this.#batchEnd;
  }

  #recordsEnded(): void {
    const { durable } = this.#segment;
    if (durable === undefined) this.#zerosTo = this.#batchEnd;
    else if (this.#at !== durable.offset || this.#chain !== durable.chain) {
      this.#refuse("the records are not those that were written");
    } else this.#isDone = true;
  }

  #stepZeros(from: number): number {
    const bytes = this.#segment.file.read(from, Math.min(windowBytes, this.#limit - from));
    if (bytes.some((byte) => byte !== 0)) this.#refuse("a damaged record in a finished segment");
    else if (bytes.length === 0) this.#isDone = true;
    this.#zerosTo = from + bytes.length;
    return bytes.length;
  }

  #refuse(what: string): void {
    this.#isDone = true;
    this.#damage = { offset: this.#at, what };
  }
}
