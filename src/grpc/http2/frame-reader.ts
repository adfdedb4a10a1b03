/**
 * Cuts bytes into frames (RFC 9113, section 4.1). It passes on a frame that lies in one chunk
 * without a copy. It joins a frame that comes in pieces in a buffer of its own, so that no chunk
 * stays in memory for its last part.
 */
import { ConnectionError } from "./connection-error.js";
import { ErrorCode, frameHeaderBytes } from "./constants.js";

export interface FrameSink {
  /** The payload is `bytes` from `start` to `end`. False: the reader stops. */
  onFrame(
    type: number,
    flags: number,
    streamId: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): boolean;
}

export class FrameReader {
  readonly #sink: FrameSink;
  readonly #maxFrame: number;
  /** The incomplete frame: first its header, then all of it. */
  #partial: Buffer | undefined;
  #have = 0;

  /** @param maxFrame SETTINGS_MAX_FRAME_SIZE as told to the peer */
  constructor(sink: FrameSink, maxFrame: number) {
    this.#sink = sink;
    this.#maxFrame = maxFrame;
  }

  /** @throws ConnectionError FRAME_SIZE_ERROR, and what the sink throws */
  receive(chunk: Buffer, from: number): void {
    let at = from;
    if (this.#partial !== undefined) {
      at = this.#complete(chunk, at);
      if (at < 0) return;
    }
    const { length } = chunk;
    while (length - at >= frameHeaderBytes) {
      const size = this.#sizeAt(chunk, at);
      const end = at + frameHeaderBytes + size;
      if (end > length) break;
      if (!this.#hand(chunk, at, end)) return;
      at = end;
    }
    if (at < length) this.#keep(chunk, at);
  }

  /** Returns the offset behind the frame; -1: the chunk holds nothing more to read. */
  #complete(chunk: Buffer, from: number): number {
    let at = this.#fill(chunk, from, frameHeaderBytes);
    if (this.#have < frameHeaderBytes) return -1;
    const header = this.#partial as Buffer;
    const whole = frameHeaderBytes + this.#sizeAt(header, 0);
    if (header.length < whole) {
      this.#partial = Buffer.allocUnsafe(whole);
      header.copy(this.#partial, 0, 0, this.#have);
    }
    at = this.#fill(chunk, at, whole);
    if (this.#have < whole) return -1;
    const frame = this.#partial as Buffer;
    this.#partial = undefined;
    this.#have = 0;
    return this.#hand(frame, 0, whole) ? at : -1;
  }

  #fill(chunk: Buffer, from: number, wanted: number): number {
    const end = Math.min(chunk.length, from + Math.max(0, wanted - this.#have));
    chunk.copy(this.#partial as Buffer, this.#have, from, end);
    this.#have += end - from;
    return end;
  }

  #keep(chunk: Buffer, at: number): void {
    const rest = chunk.length - at;
    const isHeaderThere = rest >= frameHeaderBytes;
    const bytes = isHeaderThere ? frameHeaderBytes + this.#sizeAt(chunk, at) : frameHeaderBytes;
    this.#partial = Buffer.allocUnsafe(bytes);
    chunk.copy(this.#partial, 0, at);
    this.#have = rest;
  }

  #sizeAt(bytes: Buffer, at: number): number {
    const size =
      ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
    if (size > this.#maxFrame) {
      throw new ConnectionError(ErrorCode.frameSizeError, `a frame of ${size} bytes`);
    }
    return size;
  }

  #hand(bytes: Buffer, at: number, end: number): boolean {
    // The reserved bit must be ignored.
    const streamId =
      (((bytes[at + 5] as number) & 0x7f) << 24) |
      ((bytes[at + 6] as number) << 16) |
      ((bytes[at + 7] as number) << 8) |
      (bytes[at + 8] as number);
    const type = bytes[at + 3] as number;
    const flags = bytes[at + 4] as number;
    return this.#sink.onFrame(type, flags, streamId, bytes, at + frameHeaderBytes, end);
  }
}
