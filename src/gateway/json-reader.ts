/**
 * Splits a body into its JSON objects, which may follow each other with or without space: the
 * requests of a stream. Looks at brackets and strings only; JSON.parse checks the rest.
 */
export class JsonObjects {
  readonly #bytesMax: number;
  #parts: Buffer[] = [];
  /** The length of the object that has begun. */
  #length = 0;
  #depth = 0;
  #isInString = false;
  #isEscaped = false;

  /** @param bytesMax of one object */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** True if an object has begun and has not ended. */
  get isAmid(): boolean {
    return this.#depth > 0;
  }

  /** The length of the object that has begun, as far as it has come. */
  get length(): number {
    return this.#length;
  }

  /**
   * The objects that end in this part. @throws SyntaxError if anything but an object begins,
   * RangeError if an object is too long
   */
  *read(part: Buffer): Generator<string> {
    let start = 0;
    for (let at = 0; at < part.length; at++) {
      const byte = part[at] as number;
      if (this.#depth === 0) {
        if (isSpace(byte)) continue;
        if (byte !== 0x7b) throw new SyntaxError(unexpected(byte));
        start = at;
      }
      if (!this.#ends(byte)) continue;
      const whole = Buffer.concat([...this.#parts, part.subarray(start, at + 1)]);
      this.#check(whole.length);
      this.#parts = [];
      this.#length = 0;
      yield whole.toString("utf8");
    }
    if (this.#depth === 0) return;
    this.#parts.push(part.subarray(start));
    this.#length += part.length - start;
    this.#check(this.#length);
  }

  /** Returns true if this byte ends the object. */
  #ends(byte: number): boolean {
    if (this.#isInString) {
      if (this.#isEscaped) this.#isEscaped = false;
      else if (byte === 0x5c) this.#isEscaped = true;
      else if (byte === 0x22) this.#isInString = false;
    } else if (byte === 0x22) this.#isInString = true;
    else if (byte === 0x7b || byte === 0x5b) this.#depth++;
    else if (byte === 0x7d || byte === 0x5d) return --this.#depth === 0;
    return false;
  }

  #check(length: number): void {
    if (length > this.#bytesMax)
      throw new RangeError(`a JSON object of over ${this.#bytesMax} bytes`);
  }
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function unexpected(byte: number): string {
  const found = byte > 0x20 && byte < 0x7f ? `"${String.fromCharCode(byte)}"` : `byte ${byte}`;
  return `a JSON object must begin with "{", found ${found}`;
}
