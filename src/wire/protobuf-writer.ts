/**
 * The pieces of protobuf of which hand-written messages are made. The caller computes sizes first,
 * then fills one buffer from front to back. Numbers are safe non-negative integers; every writer
 * returns the next place. A field writer leaves zero out, as proto3 does; tags are of one byte
 * (field numbers below 16). Wire format: https://protobuf.dev/programming-guides/encoding/.
 */

export const noBytes = new Uint8Array(0);

export function varintLength(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  let length = 4;
  for (let rest = Math.floor(value / 0x1000_0000); rest > 0; rest = Math.floor(rest / 0x80)) {
    length += 1;
  }
  return length;
}

export function fieldLength(value: number): number {
  return value === 0 ? 0 : 1 + varintLength(value);
}

/** The length of a field: tag, length and body. An empty body counts, too. */
export function delimitedLength(bodyLength: number): number {
  return 1 + varintLength(bodyLength) + bodyLength;
}

export function writeVarint(out: Uint8Array, at: number, value: number): number {
  let rest = value;
  let to = at;
  // Bit operators work on 32 bits only, so numbers beyond 31 bits are divided.
  for (; rest >= 0x8000_0000; to += 1) {
    out[to] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  for (; rest >= 0x80; to += 1) {
    out[to] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  out[to] = rest;
  return to + 1;
}

export function writeField(out: Uint8Array, at: number, tag: number, value: number): number {
  if (value === 0) return at;
  out[at] = tag;
  return writeVarint(out, at + 1, value);
}

export function writeBytes(out: Uint8Array, at: number, bytes: Uint8Array): number {
  // A call into the runtime costs more than a few bytes.
  if (bytes.length > 32) out.set(bytes, at);
  else for (let from = 0; from < bytes.length; from += 1) out[at + from] = bytes[from] as number;
  return at + bytes.length;
}

/** Writes tag and length of a body that follows. */
export function writeDelimiter(
  out: Uint8Array,
  at: number,
  tag: number,
  bodyLength: number,
): number {
  out[at] = tag;
  return writeVarint(out, at + 1, bodyLength);
}

/** Writes a whole field, also if its body is empty. */
export function writeDelimited(out: Uint8Array, at: number, tag: number, body: Uint8Array): number {
  return writeBytes(out, writeDelimiter(out, at, tag, body.length), body);
}

/** The length of a 64-bit number as varint, signed or not. */
export function bigVarintLength(value: bigint): number {
  let length = 1;
  for (let rest = BigInt.asUintN(64, value); rest >= 0x80n; rest >>= 7n) length += 1;
  return length;
}

/**
 * Writes a 64-bit number as varint. Ids and leases use all 64 bits; a negative number takes ten
 * bytes.
 */
export function writeBigVarint(out: Uint8Array, at: number, value: bigint): number {
  let to = at;
  let rest = BigInt.asUintN(64, value);
  for (; rest >= 0x80n; rest >>= 7n) {
    out[to] = Number(rest & 0x7fn) | 0x80;
    to += 1;
  }
  out[to] = Number(rest);
  return to + 1;
}

/** Encodes a whole field with a 64-bit number. */
export function bigField(tag: number, value: bigint): Uint8Array {
  if (value === 0n) return noBytes;
  const bytes = new Uint8Array(1 + bigVarintLength(value));
  bytes[0] = tag;
  writeBigVarint(bytes, 1, value);
  return bytes;
}

/** Encodes a whole field whose body is these parts, one behind the other. */
export function delimited(tag: number, parts: readonly Uint8Array[]): Uint8Array {
  const bodyLength = parts.reduce((sum, part) => sum + part.length, 0);
  const out = Buffer.allocUnsafe(delimitedLength(bodyLength));
  let at = writeDelimiter(out, 0, tag, bodyLength);
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
