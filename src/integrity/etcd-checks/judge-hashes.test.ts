/** What etcd's checks conclude from rounds made by hand. */
import { describe, expect, test } from "vitest";
import { KvError } from "../../base/errors.js";
import { judgeCompaction, judgePeriodic } from "./judge-hashes.js";
import { decodeHash, encodeHash, type MemberHash, type Told } from "./member-hash.js";

const self = 1n;
const hashOf = (hash: number, more: Partial<MemberHash> = {}): MemberHash => ({
  ...{ hash, compactRevision: 5, hashRevision: 9, currentRevision: 9 },
  ...more,
});
const tellers = (...hashes: readonly (MemberHash | KvError)[]): Told[] =>
  hashes.map((hash, at) => ({ id: BigInt(at + 2), hash }));

describe("the periodic check", () => {
  const judge = (told: readonly Told[], before = hashOf(7), after = before) =>
    judgePeriodic({ selfId: self, before, after, told });

  test("equal, unreachable, behind, or compacted elsewhere: nobody is blamed", () => {
    expect(judge(tellers(hashOf(7), hashOf(7)))).toEqual([]);
    expect(judge(tellers(new KvError("timeout"), new KvError("futureRevision")))).toEqual([]);
    expect(judge(tellers(hashOf(8, { compactRevision: 4 }), hashOf(7)))).toEqual([]);
    expect(judge(tellers(hashOf(8, { hashRevision: 8 }), hashOf(7)))).toEqual([]);
    expect(judge([])).toEqual([]);
  });

  test("who differs from a majority, be it the leader", () => {
    expect(judge(tellers(hashOf(8), hashOf(7)))).toEqual([2n]);
    expect(judge(tellers(hashOf(8), hashOf(8)))).toEqual([self]);
    expect(judge(tellers(hashOf(8), hashOf(7), hashOf(7), hashOf(9)))).toEqual([2n, 5n]);
  });

  test("without a majority of all members: the whole cluster", () => {
    expect(judge(tellers(hashOf(8)))).toEqual([0n]);
    expect(judge(tellers(hashOf(8), new KvError("timeout")))).toEqual([0n]);
    expect(judge(tellers(hashOf(8), hashOf(9)))).toEqual([0n]);
  });

  test("two hashes of one revision at the leader; revisions that nobody can have yet", () => {
    expect(judge(tellers(hashOf(7)), hashOf(7), hashOf(8))).toEqual([self]);
    expect(judge(tellers(hashOf(7)), hashOf(7), hashOf(8, { compactRevision: 6 }))).toEqual([]);
    expect(judge(tellers(hashOf(7, { currentRevision: 10 }), hashOf(7)))).toEqual([2n]);
    const ahead = hashOf(3, { compactRevision: 6 });
    expect(judge(tellers(hashOf(7), ahead))).toEqual([3n]);
    expect(judge(tellers(hashOf(7), ahead), hashOf(7), hashOf(7, { compactRevision: 6 }))).toEqual(
      [],
    );
  });
});

test("a compaction: equal, not told by all, different", () => {
  const judge = (told: readonly Told[]) => judgeCompaction(self, hashOf(7), told);
  expect(judge(tellers(hashOf(7), hashOf(7)))).toEqual({ kind: "equal" });
  expect(judge(tellers(hashOf(7), new KvError("compacted")))).toEqual({ kind: "incomplete" });
  expect(judge(tellers(hashOf(7), hashOf(8, { compactRevision: 1 })))).toEqual({
    kind: "incomplete",
  });
  expect(judge(tellers(hashOf(7), hashOf(8)))).toEqual({ kind: "corrupt", suspects: [3n] });
  expect(judge(tellers(hashOf(8), new KvError("timeout")))).toEqual({
    kind: "corrupt",
    suspects: [0n],
  });
});

test("a hash between members; what is none", () => {
  const hash = hashOf(0xffff_ffff, { compactRevision: -1, currentRevision: 2 ** 52 });
  expect(decodeHash(encodeHash(hash))).toEqual(hash);
  expect(decodeHash(new Uint8Array(31))).toBeInstanceOf(KvError);
});
