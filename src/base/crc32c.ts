/**
 * CRC-32C (Castagnoli, polynomial 0x1EDC6F41 reflected), as in iSCSI (RFC 3720) and etcd. Processes
 * eight bytes a step with eight tables ("slicing by 8", Kounavis and Berry 2005).
 */

const polynomial = 0x82f63b78;
const tables = makeTables();

function makeTables(): Int32Array {
  const all = new Int32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) !== 0 ? (crc >>> 1) ^ polynomial : crc >>> 1;
    all[byte] = crc;
  }
  for (let at = 256; at < all.length; at++) {
    const before = all[at - 256] as number;
    all[at] = (before >>> 8) ^ (all[before & 255] as number);
  }
  return all;
}

/**
 * The checksum of `bytes`, or of those before `end`, as an unsigned 32-bit number. With the checksum
 * of an earlier part as `seed`, the result covers both parts joined.
 */
export function crc32c(bytes: Uint8Array, seed = 0, end = bytes.length): number {
  const t = tables;
  let crc = ~seed;
  let at = 0;
  for (const last = end - 7; at < last; at += 8) {
    // Only the first four bytes meet the checksum so far; the others are indexes as they are. The
    // brackets keep the others out of the chain in which each step waits for the one before.
    const later =
      (t[768 + (bytes[at + 4] as number)] as number) ^
      (t[512 + (bytes[at + 5] as number)] as number) ^
      (t[256 + (bytes[at + 6] as number)] as number) ^
      (t[bytes[at + 7] as number] as number);
    const low = crc ^ at4(bytes, at);
    crc =
      (t[1792 + (low & 255)] as number) ^
      (t[1536 + ((low >>> 8) & 255)] as number) ^
      ((t[1280 + ((low >>> 16) & 255)] as number) ^ (t[1024 + (low >>> 24)] as number) ^ later);
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ (t[(crc ^ (bytes[at] as number)) & 255] as number);
  return ~crc >>> 0;
}

/** As `crc32c`, for the four bytes of `word`, the lowest first. */
export function crc32cWord(word: number, seed: number): number {
  const t = tables;
  const mixed = ~seed ^ word;
  return (
    ~(
      (t[768 + (mixed & 255)] as number) ^
      (t[512 + ((mixed >>> 8) & 255)] as number) ^
      (t[256 + ((mixed >>> 16) & 255)] as number) ^
      (t[mixed >>> 24] as number)
    ) >>> 0
  );
}

/**
 * The difference between two checksums after the same `length` bytes follow both. A checksum is
 * linear, so crc(A, M) ^ crc(B, M) = crc32cCarry(A ^ B, length of M), for any bytes M and seeds A
 * and B. So a checksum over M under another seed needs no look at the bytes.
 */
export function crc32cCarry(difference: number, length: number): number {
  let crc = difference;
  for (let place = 0, left = length; left > 0; place++, left = Math.floor(left / 64)) {
    const digit = left % 64;
    if (digit > 0) crc = carriedBy(place, digit, crc);
  }
  return crc >>> 0;
}

/**
 * Tables by a digit of a length in base 64, at 64 * its place + its value: what that many bytes make
 * of each byte of a difference. They are made when they are needed.
 */
const carries: (Int32Array | undefined)[] = [];

/** Carries a difference over digit * 64 ** place bytes; `digit` is at least 1. */
function carriedBy(place: number, digit: number, difference: number): number {
  const at = place * 64 + digit;
  let t = carries[at];
  if (t === undefined) {
    t = carryTable(place, digit);
    carries[at] = t;
  }
  return (
    (t[difference & 255] as number) ^
    (t[256 + ((difference >>> 8) & 255)] as number) ^
    (t[512 + ((difference >>> 16) & 255)] as number) ^
    (t[768 + (difference >>> 24)] as number)
  );
}

function carryTable(place: number, digit: number): Int32Array {
  const table = new Int32Array(4 * 256);
  for (let at = 0; at < table.length; at++) {
    const bits = at & 255;
    const lowest = bits & -bits;
    // A table is linear, so all but the differences of one bit follow from others.
    table[at] =
      bits === lowest
        ? carriedByParts(place, digit, bits << (8 * (at >> 8)))
        : (table[at - lowest] as number) ^ (table[at - bits + lowest] as number);
  }
  return table;
}

/** As `carriedBy`, by the tables of smaller lengths. */
function carriedByParts(place: number, digit: number, difference: number): number {
  if (digit > 1) {
    const half = digit >> 1;
    return carriedBy(place, digit - half, carriedBy(place, half, difference));
  }
  if (place > 0) return carriedBy(place - 1, 32, carriedBy(place - 1, 32, difference));
  return (difference >>> 8) ^ (tables[difference & 255] as number);
}

function at4(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}
