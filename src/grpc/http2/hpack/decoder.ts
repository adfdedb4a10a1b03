/** Header blocks of a peer become fields (RFC 7541). */
import { ConnectionError } from "../connection-error.js";
import { ErrorCode } from "../constants.js";
import { DynamicTable, fieldOverheadBytes } from "./dynamic-table.js";
import { huffmanDecode } from "./huffman.js";
import { staticCount, staticNames, staticValues } from "./static-table.js";

/** Decoded fields in their order. */
export class FieldList {
  readonly names: string[] = [];
  readonly values: string[] = [];
  /** As RFC 9113, section 6.5.2 counts it: octets and 32 for each field. */
  bytes = 0;
  /** More than `bytesMax` came: fields beyond it are not kept. */
  isTooLarge = false;
  readonly #bytesMax: number;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  add(name: string, value: string): void {
    this.bytes += name.length + value.length + fieldOverheadBytes;
    if (this.bytes > this.#bytesMax) {
      this.isTooLarge = true;
      return;
    }
    this.names.push(name);
    this.values.push(value);
  }
}

/** One for each connection. A thrown ConnectionError leaves it unusable. */
export class HpackDecoder {
  readonly #tableBytesMax: number;
  readonly #table: DynamicTable;
  #block: Buffer = Buffer.alloc(0);
  #at = 0;
  #end = 0;

  /** @param tableBytesMax SETTINGS_HEADER_TABLE_SIZE as told to the peer */
  constructor(tableBytesMax: number) {
    this.#tableBytesMax = tableBytesMax;
    this.#table = new DynamicTable(tableBytesMax);
  }

  /** While it stays the same, equal blocks mean equal fields. */
  get generation(): number {
    return this.#table.generation;
  }

  /** Reads a whole block into `fields`. @throws ConnectionError COMPRESSION_ERROR */
  decode(block: Buffer, start: number, end: number, fields: FieldList): void {
    this.#block = block;
    this.#at = start;
    this.#end = end;
    this.#readSizeUpdates();
    while (this.#at < this.#end) this.#readField(fields);
    this.#block = empty;
  }

  /** They may only stand at the beginning of a block (RFC 7541, section 4.2). */
  #readSizeUpdates(): void {
    while (this.#at < this.#end && ((this.#block[this.#at] as number) & 0xe0) === 0x20) {
      const bytes = this.#readInteger(5);
      if (bytes > this.#tableBytesMax) throw failed("a table larger than it may be");
      this.#table.resize(bytes);
    }
  }

  #readField(fields: FieldList): void {
    const first = this.#block[this.#at] as number;
    if (first & 0x80) {
      const index = this.#readInteger(7);
      fields.add(this.#nameAt(index), this.#valueAt(index));
    } else if (first & 0x40) {
      const index = this.#readInteger(6);
      const name = index === 0 ? this.#readString() : this.#nameAt(index);
      const value = this.#readString();
      this.#table.add(name, value);
      fields.add(name, value);
    } else if (first & 0x20) {
      throw failed("a change of the table's size amid fields");
    } else {
      const index = this.#readInteger(4);
      const name = index === 0 ? this.#readString() : this.#nameAt(index);
      fields.add(name, this.#readString());
    }
  }

  #nameAt(index: number): string {
    if (index === 0) throw failed("index 0");
    if (index <= staticCount) return staticNames[index] as string;
    return this.#table.name(this.#placeOf(index));
  }

  #valueAt(index: number): string {
    if (index <= staticCount) return staticValues[index] as string;
    return this.#table.value(this.#placeOf(index));
  }

  #placeOf(index: number): number {
    const place = index - staticCount - 1;
    if (place >= this.#table.count) throw failed("an index beyond the table");
    return place;
  }

  /** RFC 7541, section 5.1. No length or index needs more than four octets. */
  #readInteger(prefixBits: number): number {
    const mask = (1 << prefixBits) - 1;
    let value = (this.#block[this.#at++] as number) & mask;
    if (value < mask) return value;
    for (let shift = 0; shift < 28; shift += 7) {
      if (this.#at >= this.#end) throw failed("an integer without its end");
      const byte = this.#block[this.#at++] as number;
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw failed("an integer that is too large");
  }

  #readString(): string {
    if (this.#at >= this.#end) throw failed("a field without its end");
    const isHuffman = (this.#block[this.#at] as number) >= 0x80;
    const length = this.#readInteger(7);
    const start = this.#at;
    const end = start + length;
    if (end > this.#end) throw failed("a string longer than its block");
    this.#at = end;
    if (!isHuffman) return this.#block.toString("latin1", start, end);
    const text = huffmanDecode(this.#block, start, end);
    if (text === undefined) throw failed("a string that is no Huffman code");
    return text;
  }
}

const empty = Buffer.alloc(0);

function failed(what: string): ConnectionError {
  return new ConnectionError(ErrorCode.compressionError, `header block: ${what}`);
}
