/**
 * Copies row values out of the `lmdb` package. The package reads every value into one buffer of its
 * own and uses it again for the next read, so each value must be copied. Small ones are copied into
 * slabs: a value that is kept keeps its slab (at most 16 KiB) in memory, which costs far less than
 * an allocation for each read (measured: 0.7 against 0.5 M point reads a second).
 */
import { copyBytes } from "../../../base/bytes.js";

const slabBytes = 16 * 1024;
/** Larger values get memory of their own. */
const slabbedBytesMax = slabBytes / 8;

/** The package's buffer. The package overwrites `length` with that of the last value read. */
interface ReusedBuffer extends Uint8Array {
  readonly maxLength: number | undefined;
}

/** An encoder as the package wants it; it must not ask for a stable buffer. */
export class ValueCopier {
  #slab = new Uint8Array(slabBytes);
  #used = 0;
  #reused: ReusedBuffer | undefined;
  #reusedBytes: Uint8Array = new Uint8Array(0);

  readonly encode = (value: Uint8Array): Uint8Array => value;

  readonly decode = (value: ReusedBuffer): Uint8Array => {
    const { length } = value;
    const source = this.#sourceOf(value);
    if (length > slabbedBytesMax) return copyBytes(source.subarray(0, length));
    if (this.#used + length > slabBytes) {
      this.#slab = new Uint8Array(slabBytes);
      this.#used = 0;
    }
    const copy = new Uint8Array(this.#slab.buffer, this.#used, length);
    copy.set(new Uint8Array(source.buffer, source.byteOffset, length));
    this.#used += length;
    return copy;
  };

  /** A view with the true length: typed-array methods do not see the overwritten one. */
  #sourceOf(value: ReusedBuffer): Uint8Array {
    if (value === this.#reused) return this.#reusedBytes;
    // Values larger than the package's buffer come as a plain view of the memory map.
    if (value.maxLength === undefined) return value;
    this.#reused = value;
    this.#reusedBytes = new Uint8Array(value.buffer, value.byteOffset, value.maxLength);
    return this.#reusedBytes;
  }
}
