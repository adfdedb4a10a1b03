/** docs/digest.md, byte for byte, computed here a second time in the simplest way. */
import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Bucket } from "../platform/rows.js";
import { DigestSet, digestedBuckets, rootDigest, scanDigests } from "./digest.js";
import { JournalBackend, sha256 } from "./machine.fixture.js";
import { sealRow } from "./rows.js";

type Row = { bucket: Bucket; key: Uint8Array; value: Uint8Array };

const row = fc.record({
  bucket: fc.constantFrom(...digestedBuckets),
  key: fc.uint8Array({ minLength: 1, maxLength: 20 }),
  value: fc.uint8Array({ maxLength: 60 }),
});
const rows = fc.uniqueArray(row, {
  selector: ({ bucket, key }) => `${bucket}/${Buffer.from(key).toString("hex")}`,
  maxLength: 20,
});

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString("hex")}`);
}

function rowNumber({ bucket, key, value }: Row): bigint {
  const hash = createHash("sha256")
    .update("lockstep/row/1")
    .update(Uint8Array.of(bucket))
    .update(u32(key.length))
    .update(key)
    .update(u32(value.length))
    .update(value);
  return littleEndian(hash.digest());
}

test("the sum of the rows' hashes, in any order, and back to zero", () => {
  fc.assert(
    fc.property(rows, fc.nat(), (all, keep) => {
      const digests = new DigestSet(sha256);
      for (const { bucket, key, value } of all) digests.add(bucket, key, value);
      const gone = all.slice(keep % (all.length + 1));
      for (const { bucket, key, value } of gone.reverse()) digests.subtract(bucket, key, value);
      const left = all.slice(0, keep % (all.length + 1));
      for (const bucket of digestedBuckets) {
        const sum = left
          .filter((each) => each.bucket === bucket)
          .reduce((total, each) => total + rowNumber(each), 0n);
        expect(littleEndian(digests.digest(bucket))).toBe(BigInt.asUintN(256, sum));
      }
    }),
  );
});

test("a scan of the rows gives the same digests", () => {
  fc.assert(
    fc.property(rows, (all) => {
      const digests = new DigestSet(sha256);
      const backend = new JournalBackend();
      for (const { bucket, key, value } of all) {
        digests.add(bucket, key, value);
        backend.write([{ bucket, key, value: sealRow(bucket, key, value) }]);
      }
      const scanned = scanDigests(backend, sha256);
      for (const bucket of digestedBuckets) {
        expect(scanned.get(bucket)).toEqual(digests.digest(bucket));
      }
    }),
  );
});

test("a large row is hashed whole", () => {
  const value = new Uint8Array(2_000_000).fill(7);
  const big = { bucket: Bucket.key, key: Uint8Array.of(1), value };
  const digests = new DigestSet(sha256);
  digests.add(big.bucket, big.key, big.value);
  expect(littleEndian(digests.digest(Bucket.key))).toBe(rowNumber(big));
});

test("meta is no digested bucket: the root covers it", () => {
  const digests = new DigestSet(sha256);
  digests.add(Bucket.meta, Uint8Array.of(1), Uint8Array.of(2));
  for (const bucket of digestedBuckets) {
    expect(digests.digest(bucket)).toEqual(new Uint8Array(32));
  }
  expect(digestedBuckets.length).toBe(Object.keys(Bucket).length - 1);
});

test("the root is a hash of version, index, term, revisions, log chain and digests", () => {
  const digests = new DigestSet(sha256);
  digests.add(Bucket.alarm, Uint8Array.of(1), Uint8Array.of(2));
  const fields = {
    ...{ index: 2 ** 40 + 1, term: 3, revision: 5, compactRevision: -1 },
    logChain: 2 ** 32 - 1,
  };
  const numbers = [2n ** 40n + 1n, 3n, 5n, -1n, 2n ** 32n - 1n].map((value) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(value);
    return bytes;
  });
  const expected = createHash("sha256").update("lockstep/root/1").update(u32(2));
  for (const bytes of numbers) expected.update(bytes);
  for (const bucket of digestedBuckets) expected.update(digests.digest(bucket));
  expect(Buffer.from(rootDigest(digests, fields, sha256))).toEqual(expected.digest());
});
