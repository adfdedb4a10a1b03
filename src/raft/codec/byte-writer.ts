/**
 * Writes numbers and byte strings one after another into a buffer of known size. Numbers are
 * base-128 varints, lowest group first (as in protobuf), up to 2^53 - 1. Ids are 8 bytes, little
 * endian. The caller reserves enough bytes; writing beyond is a bug and throws RangeError.
 */
import { invariant } from "../../base/invariant.js";

/** The most bytes of the varint of a safe integer. */
export const varintBytesMax = 8;

export class ByteWriter {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytesMax: number) {
    this.#bytes = new Uint8Array(bytesMax);
    this.#view = new DataView(this.#bytes.buffer);
  }

  byte(value: number): void {
    this.#view.setUint8(this.#at++, value);
  }

  varint(value: number): void {
    invariant(Number.isSafeInteger(value) && value >= 0, "a varint is a safe integer", () => ({
      value,
    }));
    let rest = value;
    // Bit operations are 32 bits wide, so larger numbers are divided.
    while (rest > 0x7fff_ffff) {
      this.byte((rest % 128) | 0x80);
      rest = Math.floor(rest / 128);
    }
    while (rest > 0x7f) {
      this.byte((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.byte(rest);
  }

  id(value: bigint): void {
    this.#view.setBigUint64(this.#at, value, true);
    this.#at += 8;
  }

  bytes(value: Uint8Array): void {
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
  }

  /** The bytes written so far. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }
}
