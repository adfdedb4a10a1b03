/**
 * Lends keys and values straight from the buffers that the `lmdb` package fills for each row, for
 * scans whose visitor keeps nothing. Copying a row costs twice as much as reading it: most of it is
 * making two typed arrays. So the views are made once for each length and used again.
 */

/** Longer rows get a view of their own each time. */
const keptBytesMax = 4096;

/** Views of the first bytes of one buffer, by length. */
class Views {
  #source: Uint8Array | undefined;
  #byLength: (Uint8Array | undefined)[] = [];

  /** `start`: where the bytes begin in `source`; always the same one for the same source. */
  of(source: Uint8Array, start: number, length: number): Uint8Array {
    if (source !== this.#source) {
      this.#source = source;
      this.#byLength = new Array(keptBytesMax);
    }
    if (length >= keptBytesMax) return viewOf(source, start, length);
    const known = this.#byLength[length];
    if (known !== undefined) return known;
    const view = viewOf(source, start, length);
    this.#byLength[length] = view;
    return view;
  }
}

/** Typed-array methods of `source` would not see the package's own length of it. */
function viewOf(source: Uint8Array, start: number, length: number): Uint8Array {
  return new Uint8Array(source.buffer, source.byteOffset + start, length);
}

/** An encoder as the package wants it, for values. */
export class ValueLender {
  readonly #views = new Views();

  readonly encode = (value: Uint8Array): Uint8Array => value;

  readonly decode = (value: Uint8Array & { readonly maxLength?: number }): Uint8Array =>
    // Values larger than the package's buffer come as a plain view of the memory map.
    value.maxLength === undefined ? value : this.#views.of(value, 0, value.length);
}

/** A key encoder as the package wants it. */
export class KeyLender {
  readonly #views = new Views();

  readonly writeKey = (key: Uint8Array, target: Uint8Array, start: number): number => {
    target.set(key, start);
    return start + key.length;
  };

  readonly readKey = (source: Uint8Array, start: number, end: number): Uint8Array =>
    this.#views.of(source, start, end - start);
}
