/**
 * Writes and reads the part of DER (X.690) that certificates and revocation lists need: tag,
 * length, content, with one-byte tags. The writers give whole values; the reader gives the values
 * inside one.
 */

export const Tag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

export function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  return Buffer.concat([Buffer.of(tag), lengthOf(content.length), content]);
}

export function derSequence(...items: readonly Uint8Array[]): Buffer {
  return der(Tag.sequence, ...items);
}

/** An integer that is not negative, from its bytes, most significant first. */
export function derInteger(bytes: Uint8Array): Buffer {
  let at = 0;
  while (at < bytes.length - 1 && bytes[at] === 0) at++;
  const digits = bytes.subarray(at);
  const isHigh = ((digits[0] ?? 0) & 0x80) !== 0;
  return der(Tag.integer, isHigh ? Buffer.of(0) : Buffer.alloc(0), digits);
}

/** An object identifier, from its dotted form like "2.5.29.15". */
export function derOid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes = [first * 40 + second];
  for (const part of rest) {
    const digits = [part & 0x7f];
    for (let left = part >>> 7; left > 0; left >>>= 7) digits.unshift((left & 0x7f) | 0x80);
    bytes.push(...digits);
  }
  return der(Tag.oid, Buffer.from(bytes));
}

/** A time of certificates (RFC 5280, 4.1.2.5): two digits of the year before 2050, four from then on. */
export function derTime(unixMs: number): Buffer {
  const text = new Date(unixMs).toISOString().replace(/[-:T]|\.\d+/g, "");
  const isShort = Number(text.slice(0, 4)) < 2050;
  return isShort
    ? der(Tag.utcTime, Buffer.from(text.slice(2), "latin1"))
    : der(Tag.generalizedTime, Buffer.from(text, "latin1"));
}

export function derBits(bytes: Uint8Array): Buffer {
  return der(Tag.bitString, Buffer.of(0), bytes);
}

export interface DerValue {
  readonly tag: number;
  readonly content: Buffer;
  /** Tag, length and content. */
  readonly whole: Buffer;
}

/** The values that stand in `bytes`, one after the other. @throws Error if the bytes are no DER */
export function* readDer(bytes: Buffer): Generator<DerValue, void> {
  for (let at = 0; at < bytes.length; ) {
    const tag = bytes[at] as number;
    const first = bytes[at + 1];
    if (first === undefined || (tag & 0x1f) === 0x1f) throw notDer();
    let start = at + 2;
    let length = first;
    if (first >= 0x80) {
      const digits = first & 0x7f;
      if (digits === 0 || digits > 4 || start + digits > bytes.length) throw notDer();
      length = bytes.readUIntBE(start, digits);
      start += digits;
    }
    const end = start + length;
    if (end > bytes.length) throw notDer();
    yield { tag, content: bytes.subarray(start, end), whole: bytes.subarray(at, end) };
    at = end;
  }
}

function notDer(): Error {
  return new Error("the bytes are no DER");
}

function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.of(length);
  const digits: number[] = [];
  for (let left = length; left > 0; left = Math.floor(left / 256)) digits.unshift(left % 256);
  return Buffer.of(0x80 | digits.length, ...digits);
}
