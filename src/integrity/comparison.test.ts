/** Fingerprints of other members against ours: at equal index only, later rather than never. */

import { beforeEach, describe, expect, test } from "vitest";
import { digestVersion } from "../state/digest.js";
import { encodeFingerprint, type Fingerprint, readFingerprint } from "../state/fingerprint.js";
import { Comparison, type FoundDifference } from "./comparison.js";
import { FingerprintRing, ringSize } from "./fingerprint-ring.js";

const state = (index: number, mark = 0): Fingerprint => ({
  ...{
    version: digestVersion,
    index,
    revision: index * 2,
    compactRevision: -1,
    logChain: index * 31,
  },
  rows: new Uint8Array(16).fill(index + mark),
});
const fingerprint = (index: number, mark = 0): Fingerprint => state(index, mark);

let ring: FingerprintRing;
let comparison: Comparison;
let differences: FoundDifference[];
let equals: [bigint, number][];

beforeEach(() => {
  ring = new FingerprintRing();
  differences = [];
  equals = [];
  comparison = new Comparison(ring, {
    differs: (found) => differences.push(found),
    equal: (peer, index) => equals.push([peer, index]),
  });
});

function apply(...indexes: readonly number[]): void {
  for (const index of indexes) {
    ring.record(state(index));
    comparison.applied();
  }
}

test("a fingerprint comes back from its bytes; fewer bytes are none", () => {
  const sent = { ...fingerprint(2 ** 40), compactRevision: -1, logChain: 2 ** 32 - 1 };
  const bytes = encodeFingerprint(sent);
  expect(readFingerprint(bytes)).toEqual(sent);
  expect(readFingerprint(bytes.subarray(1))).toBeUndefined();
});

describe("a ring", () => {
  test("holds the last indexes; one that does not follow begins anew", () => {
    for (let index = 10; index < 10 + ringSize + 5; index++) ring.record(state(index));
    expect(ring.at(14)).toBeUndefined();
    expect(ring.at(15)).toEqual(fingerprint(15));
    expect(ring.at(ring.last + 1)).toBeUndefined();
    ring.record(state(50_000));
    expect(ring.at(ringSize)).toBeUndefined();
    expect(ring.at(50_000)).toEqual(fingerprint(50_000));
    ring.clear();
    expect(ring.at(50_000)).toBeUndefined();
  });
});

describe("a comparison", () => {
  test("equal and different states at an index that is here", () => {
    apply(5, 6, 7);
    comparison.received(1n, fingerprint(6));
    expect(equals).toEqual([[1n, 6]]);
    expect(comparison.view(1n)).toMatchObject({ state: "equal", verifiedIndex: 6 });
    comparison.received(2n, fingerprint(7, 1));
    expect(differences).toMatchObject([{ peer: 2n, difference: "apply" }]);
    expect(comparison.view(2n)).toMatchObject({ state: "differs", verifiedIndex: 0 });
    expect(comparison.verifiedIndex()).toBe(6);
  });

  test("another log is told apart from another way to apply it", () => {
    apply(5);
    comparison.received(1n, { ...fingerprint(5, 1), logChain: 1 });
    expect(differences).toMatchObject([{ difference: "log" }]);
  });

  test("what we have not applied waits, the oldest, and is compared then", () => {
    apply(5);
    comparison.received(1n, fingerprint(8, 1));
    comparison.received(1n, fingerprint(9));
    apply(6, 7);
    expect(differences).toEqual([]);
    apply(8);
    expect(differences).toMatchObject([{ mine: { index: 8 } }]);
    apply(9);
    comparison.received(1n, fingerprint(9));
    expect(comparison.view(1n)).toMatchObject({ state: "equal", verifiedIndex: 9 });
  });

  test("what we hold no more says nothing here: the other side compares ours", () => {
    for (let index = 1; index <= ringSize + 10; index++) apply(index);
    comparison.received(1n, fingerprint(3, 1));
    expect(differences).toEqual([]);
    expect(comparison.view(1n)).toMatchObject({ state: "unknown" });
  });

  test("another digest version is not comparable, and not equal", () => {
    apply(5);
    comparison.received(1n, fingerprint(5));
    comparison.received(1n, { ...fingerprint(5), version: digestVersion + 1 });
    expect(comparison.view(1n)).toMatchObject({ state: "not comparable" });
    comparison.received(1n, fingerprint(5));
    expect(comparison.view(1n)).toMatchObject({ state: "equal" });
  });

  test("after our state was replaced nothing seen before counts", () => {
    apply(5);
    comparison.received(1n, fingerprint(5));
    comparison.received(2n, fingerprint(7));
    comparison.clear();
    expect(comparison.verifiedIndex()).toBe(0);
    apply(6, 7);
    expect(equals).toEqual([[1n, 5]]);
  });
});
