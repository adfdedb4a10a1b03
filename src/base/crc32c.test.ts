import fc from "fast-check";
import { expect, test } from "vitest";
import { crc32c, crc32cCarry, crc32cWord } from "./crc32c.js";

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The checksum, computed bit by bit, directly from the polynomial. */
function slowCrc(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ ((crc & 1) * 0x82f6_3b78);
  }
  return (crc ^ 0xffff_ffff) >>> 0;
}

test("known answers (RFC 3720, appendix B.4, and the catalogue's check value)", () => {
  expect(crc32c(ascii("123456789"))).toBe(0xe306_9283);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a91_36aa);
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8_ab43);
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd_794e);
  expect(crc32c(new Uint8Array(0))).toBe(0);
});

test("any bytes at any alignment: as bit by bit", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(9), (bytes, skip) => {
      const part = bytes.subarray(Math.min(skip, bytes.length));
      expect(crc32c(part)).toBe(slowCrc(part));
    }),
  );
});

test("the bytes before an end: as a part of their own", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(60), (bytes, cut) => {
      const end = Math.min(cut, bytes.length);
      expect(crc32c(bytes, 7, end)).toBe(crc32c(bytes.subarray(0, end), 7));
    }),
  );
});

test("parts, one after the other, give the whole", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(60), (bytes, cut) => {
      expect(crc32c(bytes.subarray(cut), crc32c(bytes.subarray(0, cut)))).toBe(crc32c(bytes));
    }),
  );
});

test("a word is its four bytes, the lowest first", () => {
  fc.assert(
    fc.property(fc.nat(0xffff_ffff), fc.nat(0xffff_ffff), (word, seed) => {
      const bytes = new Uint8Array(4);
      new DataView(bytes.buffer).setUint32(0, word, true);
      expect(crc32cWord(word, seed)).toBe(crc32c(bytes, seed));
    }),
  );
});

test("a checksum under one seed and the difference of the seeds give that under another", () => {
  const seed = fc.nat(0xffff_ffff);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 3_000 }), seed, seed, (bytes, one, other) => {
      const carried = (crc32c(bytes, one) ^ crc32cCarry(one ^ other, bytes.length)) >>> 0;
      expect(carried).toBe(crc32c(bytes, other));
    }),
  );
  const large = new Uint8Array(2 ** 20 + 1).fill(7);
  expect((crc32c(large) ^ crc32cCarry(0x1234_5678, large.length)) >>> 0).toBe(
    crc32c(large, 0x1234_5678),
  );
});
