/**
 * Reads what ByteWriter wrote, from untrusted bytes. Every length is checked against the bytes left
 * before anything is allocated, and every loop ends with the input.
 */
import { varintBytesMax } from "./byte-writer.js";

/** The bytes are no message of this protocol: damaged, cut, or of another version. */
export class MessageFormatError extends Error {
  override readonly name = "MessageFormatError";
}

export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  byte(): number {
    this.#need(1);
    return this.#bytes[this.#at++] as number;
  }

  /** @throws MessageFormatError beyond 2^53 - 1 */
  varint(): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < varintBytesMax; count++) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (!Number.isSafeInteger(value)) break;
        return value;
      }
      scale *= 128;
    }
    throw new MessageFormatError("a number beyond 2^53 - 1");
  }

  /**
   * Reads a count of items that take at least `bytesEach` bytes each. @throws MessageFormatError if
   * they cannot fit
   */
  count(bytesEach: number): number {
    const count = this.varint();
    this.#need(count * bytesEach);
    return count;
  }

  id(): bigint {
    this.#need(8);
    const value = this.#view.getBigUint64(this.#at, true);
    this.#at += 8;
    return value;
  }

  /** A view, not a copy. */
  bytes(length: number): Uint8Array {
    this.#need(length);
    const value = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return value;
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw new MessageFormatError("bytes after the end");
  }

  #need(length: number): void {
    if (length > this.#bytes.length - this.#at) throw new MessageFormatError("cut short");
  }
}
