import type { JsonValue } from "@bufbuild/protobuf";

/** How deep brackets may stand in each other, as in Go's protojson. */
const depthMax = 10_000;

/** The text of one object. */
export interface JsonText {
  readonly text: string;
  /** How many members the object and all objects inside it have. */
  readonly members: number;
}

/**
 * @throws SyntaxError if the text is no JSON, names a member of an object twice, or holds half a
 * surrogate pair. JSON.parse would take the last of two members, and nobody knows which one was meant.
 */
export function parseJson({ text, members }: JsonText): JsonValue {
  const value = JSON.parse(text) as JsonValue;
  let found = 0;
  // Bytes that are UTF-8 hold none, so only an escape can.
  const mayHoldHalf = /\\u[dD]/.test(text);
  const check = (string: string): void => {
    if (mayHoldHalf && /\p{Surrogate}/u.test(string))
      throw new SyntaxError("half a surrogate pair in a string");
  };
  const open: JsonValue[] = [value];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (typeof next === "string") check(next);
    if (typeof next !== "object" || next === null) continue;
    if (!Array.isArray(next)) {
      const names = Object.keys(next);
      found += names.length;
      names.forEach(check);
    }
    for (const inner of Object.values(next)) open.push(inner as JsonValue);
  }
  if (found !== members) throw new SyntaxError("an object names the same field twice");
  return value;
}

/**
 * Splits a body into its JSON objects, which may follow each other with or without space: the
 * requests of a stream. Looks at brackets, colons and strings only; `parseJson` checks the rest.
 */
export class JsonObjects {
  readonly #bytesMax: number;
  #parts: Buffer[] = [];
  /** The length of the object that has begun. */
  #length = 0;
  #depth = 0;
  #members = 0;
  readonly #utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
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
   * The objects that end in this part. @throws SyntaxError if anything but an object begins, if one is not
   * UTF-8 or too deep, RangeError if one is too long
   */
  *read(part: Buffer): Generator<JsonText> {
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
      const members = this.#members;
      this.#members = 0;
      yield { text: this.#decode(whole), members };
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
    else if (byte === 0x3a) this.#members++;
    else if (byte === 0x7b || byte === 0x5b) this.#deepen();
    else if (byte === 0x7d || byte === 0x5d) return --this.#depth === 0;
    return false;
  }

  #deepen(): void {
    if (++this.#depth > depthMax) throw new SyntaxError(`brackets are over ${depthMax} deep`);
  }

  #decode(bytes: Buffer): string {
    try {
      return this.#utf8.decode(bytes);
    } catch {
      throw new SyntaxError("a JSON object is not UTF-8");
    }
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
