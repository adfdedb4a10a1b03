/**
 * Collects the output for a peer. Frames go one after the other into a buffer, which is handed over
 * as a whole. Large payloads stand between them without a copy. Between two calls of `take` a quiet
 * connection holds no buffer.
 */
import { frameHeaderBytes } from "./constants.js";

const bufferBytesMin = 256;
const bufferBytesMax = 65_536;
/** Below this a copy is cheaper than one more piece of a write. */
const copyBytesMax = 4_096;

export class Output {
  /** Write at `at`, after `ensure`, and move it. */
  buffer: Buffer = none;
  at = 0;
  #pieces: Uint8Array[] = [];
  #piecesBytes = 0;
  #sealedTo = 0;
  #nextBytes = bufferBytesMin;

  /** Octets that are written and not taken yet. */
  get bytes(): number {
    return this.#piecesBytes + this.at - this.#sealedTo;
  }

  /** Makes room for `bytes` in one piece. */
  ensure(bytes: number): void {
    if (this.buffer.length - this.at >= bytes) return;
    this.#seal();
    const length = Math.max(bytes, this.#nextBytes);
    this.#nextBytes = Math.min(bufferBytesMax, 2 * length);
    this.buffer = Buffer.allocUnsafe(length);
    this.at = 0;
    this.#sealedTo = 0;
  }

  /** Writes a frame's header, with room for its payload of `length` behind it. */
  frame(type: number, flags: number, streamId: number, length: number): void {
    this.ensure(frameHeaderBytes + length);
    this.frameHeader(type, flags, streamId, length);
  }

  uint32(value: number): void {
    this.at = this.buffer.writeUInt32BE(value, this.at);
  }

  /** A part of a frame's payload, behind what was written. */
  payload(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (length <= copyBytesMax) {
      this.ensure(length);
      this.copy(bytes, start, end);
      return;
    }
    this.#seal();
    this.#pieces.push(bytes.subarray(start, end));
    this.#piecesBytes += length;
  }

  /** After `ensure` of so many bytes. */
  copy(from: Uint8Array, start: number, end: number): void {
    this.buffer.set(start === 0 && end === from.length ? from : from.subarray(start, end), this.at);
    this.at += end - start;
  }

  /** After `ensure` of so many bytes; a character is an octet. */
  latin1(text: string): void {
    this.at += this.buffer.write(text, this.at, "latin1");
  }

  /** Returns the output in order; undefined: there is none. */
  take(): Uint8Array[] | undefined {
    const taken = this.bytes;
    if (taken === 0) return undefined;
    this.#seal();
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#piecesBytes = 0;
    this.buffer = none;
    this.at = 0;
    this.#sealedTo = 0;
    // The next turn probably writes about as much.
    this.#nextBytes = Math.max(bufferBytesMin, Math.min(bufferBytesMax, taken + (taken >> 2)));
    return pieces;
  }

  /** After `ensure` of its 9 bytes (RFC 9113, section 4.1). */
  frameHeader(type: number, flags: number, streamId: number, length: number): void {
    const { buffer } = this;
    let at = this.at;
    buffer[at++] = length >> 16;
    buffer[at++] = length >> 8;
    buffer[at++] = length;
    buffer[at++] = type;
    buffer[at++] = flags;
    buffer[at++] = streamId >> 24;
    buffer[at++] = streamId >> 16;
    buffer[at++] = streamId >> 8;
    buffer[at++] = streamId;
    this.at = at;
  }

  #seal(): void {
    if (this.at === this.#sealedTo) return;
    const piece = this.buffer.subarray(this.#sealedTo, this.at);
    this.#pieces.push(piece);
    this.#piecesBytes += piece.length;
    this.#sealedTo = this.at;
  }
}

const none = Buffer.alloc(0);
