import { expect, test } from "vitest";
import { Bucket } from "../platform/rows.js";
import { DigestSet, digestedBuckets } from "./digest.js";
import { sha256 } from "./machine.fixture.js";
import { emptyMeta, encodeMeta, metaKey, readMeta } from "./meta.js";
import { sealRow } from "./rows.js";

const backendOf = (meta: Uint8Array) => ({
  get: () => sealRow(Bucket.meta, metaKey, meta),
});

test("a row of digest version 1 is read as a state without users", () => {
  const digests = new DigestSet(sha256);
  digests.add(Bucket.key, Uint8Array.of(1), Uint8Array.of(2));
  const meta = { ...emptyMeta(), index: 7, term: 2, revision: 9, logChain: 3 };
  const row = encodeMeta(meta, digests).slice();
  new DataView(row.buffer).setUint32(0, 1, true);
  const read = new DigestSet(sha256);
  read.add(Bucket.authUsers, Uint8Array.of(1), Uint8Array.of(2));
  // 68 bytes of fields and six digests.
  expect(readMeta(backendOf(row.subarray(0, 260)), read)).toEqual(meta);
  for (const bucket of digestedBuckets) expect(read.digest(bucket)).toEqual(digests.digest(bucket));
});

test("a row of an unknown version, or of a wrong length, is refused", () => {
  const digests = new DigestSet(sha256);
  const row = encodeMeta(emptyMeta(), digests).slice();
  const other = row.slice();
  new DataView(other.buffer).setUint32(0, 3, true);
  for (const bytes of [other, row.subarray(0, 260), new Uint8Array(0)]) {
    expect(() => readMeta(backendOf(bytes), digests)).toThrow("another version of this server");
  }
  expect(readMeta(backendOf(row), digests)).toEqual(emptyMeta());
});
