/** The decision table of docs/scrub.md. */
import { expect, test } from "vitest";
import { Bucket } from "../../platform/rows.js";
import { DigestSet, digestedBuckets, digestVersion, rootDigest } from "../../state/digest.js";
import { bytes, sha256 } from "../../state/machine.fixture.js";
import { emptyMeta } from "../../state/meta.js";
import type { Digests } from "../../state/types.js";
import { judgeScrub, weigh } from "./verdict.js";

const meta = { ...emptyMeta(), index: 9, term: 2 };

function digestsOf(lease: string): DigestSet {
  const digests = new DigestSet(sha256);
  digests.add(Bucket.lease, bytes("id"), bytes(lease));
  digests.add(Bucket.key, bytes("row"), bytes("value"));
  return digests;
}

function memoryOf(lease: string, fields = meta): Digests {
  const digests = digestsOf(lease);
  return {
    version: digestVersion,
    index: fields.index,
    term: fields.term,
    buckets: new Map(digestedBuckets.map((bucket) => [bucket, digests.digest(bucket)])),
    root: rootDigest(digests, fields, sha256),
  };
}

/** Contents of one lease as three places have it; the key space is the same everywhere. */
function judged(scan: string, stored: string, memory: Digests, skipped: Bucket[] = []) {
  const sums = { scan: digestsOf(scan), stored: digestsOf(stored), meta, memory };
  const { isOther, rows, digest } = judgeScrub({ ...sums, skipped: new Set(skipped) }, sha256);
  return {
    isOther,
    rows: rows.map(({ bucket }) => bucket),
    digest: digest.map(({ bucket }) => bucket),
  };
}

const lease = [Bucket.lease];

test.each([
  ["a", "a", "a", { isOther: false, rows: [], digest: [] }],
  ["a", "a", "b", { isOther: false, rows: [], digest: lease }],
  ["a", "b", "a", { isOther: false, rows: [], digest: lease }],
  ["a", "b", "b", { isOther: false, rows: lease, digest: [] }],
  ["a", "b", "c", { isOther: false, rows: lease, digest: [] }],
])("scan %s, stored %s, memory %s", (scan, stored, memory, expected) => {
  expect(judged(scan, stored, memoryOf(memory))).toEqual(expected);
  const skipped = { ...expected, rows: [], digest: [] };
  expect(judged(scan, stored, memoryOf(memory), lease)).toEqual(skipped);
});

test.each([
  ["index", { ...meta, index: 10 }],
  ["term", { ...meta, term: 3 }],
  ["revision", { ...meta, revision: 5 }],
  ["compact revision", { ...meta, compactRevision: 1 }],
])("a meta row of another %s is another state", (_name, fields) => {
  expect(judged("a", "a", memoryOf("a", fields))).toEqual({ isOther: true, rows: [], digest: [] });
});

test("the tables in memory decide about rows that agree with no digest, if they are to be trusted", () => {
  const memory = memoryOf("b");
  const sums = { scan: digestsOf("a"), stored: digestsOf("b"), meta, memory };
  const verdict = judgeScrub({ ...sums, skipped: new Set<Bucket>() }, sha256);
  const disagreeing = new Set(lease);
  const none = new Set<Bucket>();
  const empty = { isOther: false, damaged: [], undecided: [], digest: [] };
  const { rows } = verdict;
  for (const isTrusted of [true, false]) {
    expect(weigh(verdict, { disagreeing, isTrusted })).toEqual({ ...empty, damaged: rows });
  }
  expect(weigh(verdict, { disagreeing: none, isTrusted: true })).toEqual({
    ...empty,
    digest: rows,
  });
  const undecided = { ...empty, undecided: rows };
  expect(weigh(verdict, { disagreeing: none, isTrusted: false })).toEqual(undecided);
});
