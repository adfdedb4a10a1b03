/**
 * The frame of a WAL record (docs/formats.md, "Write-ahead log"). By its frame a reader recognises
 * a whole record.
 *
 * A frame has a check of its own, so that a reader can recognise whole records behind a damaged
 * one. It is also chained to all frames before it, so that none can be left out.
 *
 * A frame states its distance from the start of its flush. With it a reader can tell bytes that one
 * unfinished write may have torn from bytes that an earlier, finished write had made durable. The
 * checks are seeded with the log's salt, so no value that a client stores looks like a frame.
 */
import { crc32c, crc32cWord } from "../base/crc32c.js";

/**
 * `start` opens each segment and is checked with salt 0. `seal` is empty. The writer decides the
 * content of a `note`.
 */
export const RecordType = {
  start: 1,
  entry: 2,
  hardState: 3,
  installed: 4,
  compacted: 5,
  seal: 6,
  note: 7,
} as const;
export type RecordType = (typeof RecordType)[keyof typeof RecordType];

/** Little-endian: own u32, chain u32, length u32, distance u32, type u8, head check u24. */
export const headerBytes = 20;
export const chainAt = 4;
export const lengthAt = 8;
export const distanceAt = 12;
export const typeAt = 16;
export const alignment = 8;
/** Set in the type byte if the next record belongs to the same batch. */
export const continuesBit = 0x80;

export interface Frame {
  /** A RecordType, or a number that this program does not know. */
  readonly type: number;
  readonly isBatchEnd: boolean;
  readonly payload: Uint8Array;
  /** Offset of the record from the first record of the same flush. */
  readonly distance: number;
  readonly own: number;
  readonly chain: number;
  /** Bytes of the whole frame, padding included. */
  readonly frameBytes: number;
}

export function frameBytesOf(payloadBytes: number): number {
  return Math.ceil((headerBytes + payloadBytes) / alignment) * alignment;
}

/** The type byte and, above it, the check of the head: type, length and distance. */
export function tagOf(
  head: { readonly type: number; readonly length: number; readonly distance: number },
  salt: number,
): number {
  const check = crc32cWord(head.type, crc32cWord(head.distance, crc32cWord(head.length, salt)));
  return ((check << 8) | head.type) >>> 0;
}

/** Reads frames out of a segment's bytes. */
export class RecordFrameReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #salt: number;

  constructor(bytes: Uint8Array, salt: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#salt = salt;
  }

  /** The whole record at `at`. Undefined: no record there passes its own check. */
  read(at: number): Frame | undefined {
    const frameBytes = this.extent(at);
    if (frameBytes === undefined) return undefined;
    const view = this.#view;
    const length = view.getUint32(at + lengthAt, true);
    const end = at + headerBytes + length;
    const own = view.getUint32(at, true);
    if (crc32c(this.#bytes.subarray(at + lengthAt, end), this.#salt) !== own) return undefined;
    const type = this.#bytes[at + typeAt] as number;
    return {
      type: type & ~continuesBit,
      isBatchEnd: (type & continuesBit) === 0,
      payload: this.#bytes.subarray(at + headerBytes, end),
      distance: view.getUint32(at + distanceAt, true),
      own,
      chain: view.getUint32(at + chainAt, true),
      frameBytes,
    };
  }

  /**
   * The number of bytes of the frame whose head stands at `at`. Undefined: there is no head, or the
   * frame does not fit.
   */
  extent(at: number): number | undefined {
    const length = this.payloadBytes(at);
    const isWhole = length !== undefined && at + headerBytes + length <= this.#bytes.length;
    return isWhole ? frameBytesOf(length) : undefined;
  }

  /**
   * Bytes of the payload that the head at `at` announces; they may end behind these bytes.
   * Undefined: there is no head.
   */
  payloadBytes(at: number): number | undefined {
    if (at + headerBytes > this.#bytes.length) return undefined;
    const type = this.#bytes[at + typeAt] as number;
    if (type === 0) return undefined;
    const length = this.#view.getUint32(at + lengthAt, true);
    const distance = this.#view.getUint32(at + distanceAt, true);
    const isHead =
      this.#view.getUint32(at + typeAt, true) === tagOf({ type, length, distance }, this.#salt);
    return isHead ? length : undefined;
  }
}
