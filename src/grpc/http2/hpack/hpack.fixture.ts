/** Header blocks for tests: a small encoder that can do what the production one never does. */
import { huffmanCodes } from "./huffman.js";

const codeOf = new Map(huffmanCodes.map(({ symbol, code, bits }) => [symbol, [code, bits]]));

export function huffmanEncode(text: Buffer): Buffer {
  let bits = "";
  for (const byte of text) {
    const [code = 0, length = 0] = codeOf.get(byte) as number[];
    bits += code.toString(2).padStart(length, "0");
  }
  bits = bits.padEnd(Math.ceil(bits.length / 8) * 8, "1");
  const octets = bits.match(/.{8}/g) ?? [];
  return Buffer.from(octets.map((octet) => Number.parseInt(octet, 2)));
}

export function integer(first: number, prefixBits: number, value: number): Buffer {
  const mask = 2 ** prefixBits - 1;
  if (value < mask) return Buffer.from([first | value]);
  const octets = [first | mask];
  let rest = value - mask;
  while (rest >= 128) {
    octets.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  octets.push(rest);
  return Buffer.from(octets);
}

export function string(text: string, isHuffman = false): Buffer {
  const plain = Buffer.from(text, "latin1");
  if (!isHuffman) return Buffer.concat([integer(0, 7, plain.length), plain]);
  const coded = huffmanEncode(plain);
  return Buffer.concat([integer(0x80, 7, coded.length), coded]);
}

export interface LiteralOptions {
  /** Goes into the dynamic table. */
  readonly isAdded?: boolean;
  readonly isHuffman?: boolean;
}

/** A field with its name and value written out. */
export function literal(name: string, value: string, options: LiteralOptions = {}): Buffer {
  const { isAdded = false, isHuffman = false } = options;
  return Buffer.concat([
    Buffer.from([isAdded ? 0x40 : 0]),
    string(name, isHuffman),
    string(value, isHuffman),
  ]);
}
