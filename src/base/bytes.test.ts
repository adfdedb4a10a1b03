import fc from "fast-check";
import { expect, test } from "vitest";
import { compareBytes, equalBytes, prefixEnd } from "./bytes.js";

const strings = fc.uint8Array({ maxLength: 6, max: 3 });

test("order and equality are Buffer's", () => {
  fc.assert(
    fc.property(strings, strings, (a, b) => {
      expect(Math.sign(compareBytes(a, b))).toBe(Buffer.compare(a, b));
      expect(equalBytes(a, b)).toBe(Buffer.from(a).equals(b));
    }),
  );
});

test("a prefix comes first, and bytes are unsigned", () => {
  expect(compareBytes(Uint8Array.of(1), Uint8Array.of(1, 0))).toBeLessThan(0);
  expect(compareBytes(Uint8Array.of(0x80), Uint8Array.of(0x7f))).toBeGreaterThan(0);
});

test("the end of a prefix lies behind all keys that begin with it, and before all others", () => {
  const any = fc.uint8Array({ maxLength: 4, min: 0xfd });
  fc.assert(
    fc.property(any, any, (bytes, key) => {
      // A Buffer's `slice` shares memory: the prefix must stay what it was.
      const prefix = Buffer.from(bytes);
      const end = prefixEnd(prefix);
      expect(equalBytes(prefix, bytes)).toBe(true);
      const isBefore = Buffer.compare(end, Uint8Array.of(0)) === 0 || compareBytes(key, end) < 0;
      const begins = Buffer.compare(prefix, key.subarray(0, prefix.length)) === 0;
      expect(compareBytes(prefix, key) <= 0 && isBefore).toBe(begins);
    }),
  );
});
