/**
 * Fields of answers become header blocks (RFC 7541). Fields that every answer repeats go into the
 * dynamic table and cost an octet from then on; all others are literals, so that the table never
 * holds more than these few. Strings are not Huffman coded: what is repeated is short already.
 */
import type { Output } from "../output.js";
import { fieldOverheadBytes } from "./dynamic-table.js";
import { staticCount, staticNames, staticValues } from "./static-table.js";

/** No integer that is written here takes more octets. */
const integerBytesMax = 5;

/** Fields that go out together, with the room that they need at most. */
export class HeaderFields {
  readonly fields: readonly string[];
  readonly isRepeated: boolean;
  /** Upper bound of the octets of a block with them. */
  readonly bytesMax: number;

  /**
   * @param fields name, value, name, value ... in lower case, one character for each octet
   * @param isRepeated worth a place in the table; only for a few constant ones
   */
  constructor(fields: readonly string[], isRepeated = false) {
    this.fields = fields;
    this.isRepeated = isRepeated;
    let bytes = 2 * integerBytesMax;
    for (const text of fields) bytes += text.length + integerBytesMax;
    this.bytesMax = bytes;
  }
}

const tableBytesDefault = 4_096;

const staticIndexes = new Map<string, number>();
for (const [index, name] of staticNames.entries()) {
  if (index === 0) continue;
  if (!staticIndexes.has(name)) staticIndexes.set(name, index);
  const value = staticValues[index] as string;
  if (value !== "") staticIndexes.set(`${name} ${value}`, index);
}

/** One connection's encoder. Blocks must be sent in the order in which they were encoded. */
export class HpackEncoder {
  /** Oldest first. */
  readonly #names: string[] = [];
  readonly #values: string[] = [];
  #bytes = 0;
  #bytesMax = tableBytesDefault;
  /** The smallest size since the last block, where the peer changed it; -1: it did not. */
  #smallest = -1;

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. */
  limitTable(bytes: number): void {
    const wanted = Math.min(bytes, tableBytesDefault);
    if (wanted === this.#bytesMax) return;
    this.#smallest = this.#smallest < 0 ? wanted : Math.min(this.#smallest, wanted);
    this.#bytesMax = wanted;
  }

  /** Writes the block. `out` must have room for `bytesMax`. */
  encode(out: Output, { fields, isRepeated }: HeaderFields): void {
    if (this.#smallest >= 0) this.#tellSize(out);
    for (let at = 0; at < fields.length; at += 2) {
      this.#field(out, fields[at] as string, fields[at + 1] as string, isRepeated);
    }
  }

  #field(out: Output, name: string, value: string, isRepeated: boolean): void {
    const index = isRepeated ? this.#indexOf(name, value) : 0;
    if (index > 0) {
      integer(out, 0x80, 7, index);
      return;
    }
    const whole = staticIndexes.get(`${name} ${value}`);
    if (whole !== undefined) {
      integer(out, 0x80, 7, whole);
      return;
    }
    const bytes = name.length + value.length + fieldOverheadBytes;
    const isAdded = isRepeated && this.#bytes + bytes <= this.#bytesMax;
    const nameIndex = staticIndexes.get(name) ?? 0;
    if (isAdded) integer(out, 0x40, 6, nameIndex);
    else integer(out, 0, 4, nameIndex);
    if (nameIndex === 0) string(out, name);
    string(out, value);
    if (!isAdded) return;
    this.#names.push(name);
    this.#values.push(value);
    this.#bytes += bytes;
  }

  #indexOf(name: string, value: string): number {
    const count = this.#names.length;
    for (let at = 0; at < count; at++) {
      if (this.#values[at] === value && this.#names[at] === name) return staticCount + count - at;
    }
    return 0;
  }

  /** RFC 7541, section 4.2: the smallest size, then the last. We begin with an empty table. */
  #tellSize(out: Output): void {
    integer(out, 0x20, 5, 0);
    integer(out, 0x20, 5, this.#bytesMax);
    this.#smallest = -1;
    this.#names.length = 0;
    this.#values.length = 0;
    this.#bytes = 0;
  }
}

function integer(out: Output, first: number, prefixBits: number, value: number): void {
  const mask = (1 << prefixBits) - 1;
  const { buffer } = out;
  if (value < mask) {
    buffer[out.at++] = first | value;
    return;
  }
  buffer[out.at++] = first | mask;
  let rest = value - mask;
  while (rest >= 0x80) {
    buffer[out.at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  buffer[out.at++] = rest;
}

function string(out: Output, text: string): void {
  integer(out, 0, 7, text.length);
  out.latin1(text);
}
