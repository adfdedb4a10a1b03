import fc from "fast-check";
import { expect, test } from "vitest";
import { KeyValue } from "./gen/kv.js";
import { decodeKeyValue, encodeKeyValue, keyOf, withoutValue } from "./key-value.js";

const revision = fc.oneof(fc.nat(300), fc.maxSafeNat());
const fields = fc.record({
  key: fc.uint8Array({ minLength: 1, maxLength: 200 }),
  createRevision: revision,
  modRevision: revision,
  version: revision,
  value: fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.integer({ min: 0, max: 40_000 }).map((length) => new Uint8Array(length).fill(0x5a)),
  ),
  lease: fc.oneof(fc.constant(0n), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
});

/** The bytes that the generated codec makes of the same fields. */
function generated(kv: Parameters<typeof encodeKeyValue>[0]): Uint8Array {
  return KeyValue.encode({
    key: Buffer.from(kv.key),
    create_revision: BigInt(kv.createRevision),
    mod_revision: BigInt(kv.modRevision),
    version: BigInt(kv.version),
    value: Buffer.from(kv.value),
    lease: kv.lease,
  }).finish();
}

test("encodes as the generated codec does, and decodes what it encoded", () => {
  fc.assert(
    fc.property(fields, (kv) => {
      const bytes = encodeKeyValue(kv);
      expect(Buffer.from(bytes).equals(generated(kv))).toBe(true);
      const { value, ...others } = decodeKeyValue(bytes);
      expect(Buffer.compare(value, kv.value)).toBe(0);
      expect({ ...others, value: 0 }).toEqual({ ...kv, value: 0 });
      expect(keyOf(bytes)).toEqual(kv.key);
      const bare = { ...kv, value: new Uint8Array(0) };
      expect(decodeKeyValue(withoutValue(bytes))).toEqual(bare);
    }),
    { numRuns: 500 },
  );
});

test("bytes that are no KeyValue are refused, never misread", () => {
  const good = encodeKeyValue({
    key: Buffer.from("key"),
    createRevision: 300,
    modRevision: 301,
    version: 2,
    value: Buffer.from("value"),
    lease: 77n,
  });
  for (const cut of [1, 3, 6, 7, 13, good.length - 1]) {
    const bytes = good.subarray(0, cut);
    const ends = [5, 8, 11, 13, 20];
    if (!ends.includes(cut)) expect(() => decodeKeyValue(bytes)).toThrow(/stored/);
  }
  expect(() => decodeKeyValue(Uint8Array.of(0x7a, 0x00))).toThrow("a stored row is no KeyValue");
  expect(() => keyOf(Uint8Array.of(0x10, 0x01))).toThrow("a stored row has no key");
  const endless = new Uint8Array(20).fill(0xff);
  endless[0] = 0x10;
  expect(() => decodeKeyValue(endless)).toThrow("a stored KeyValue has a bad number");
  endless[0] = 0x30;
  expect(() => decodeKeyValue(endless)).toThrow("a stored KeyValue has a bad lease");
});
