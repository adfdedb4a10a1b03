/**
 * The bounds never contradict for equal members, whenever a member reads its revision and index,
 * and they find every difference of members at rest.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { StatusSample } from "./evidence.js";
import { restOf, restSamples, skewsOf } from "./revision-skew.js";

function sample(appliedIndex: number, revision: number): StatusSample {
  return {
    clusterId: 1n,
    memberId: 1n,
    version: "3.5.16",
    revision,
    appliedIndex,
    isLeader: false,
    isLearner: false,
    errors: [],
  };
}

/** How far a member moves between the two reads of one answer, and between answers. */
const steps = fc.array(fc.record({ between: fc.nat(6), inside: fc.nat(4), isTorn: fc.boolean() }), {
  minLength: 1,
  maxLength: 8,
});
type Steps = readonly {
  readonly between: number;
  readonly inside: number;
  readonly isTorn: boolean;
}[];

/** Samples of a member whose state moves along `revisions`, as a server reads them. */
function run(revisions: readonly number[], start: number, taken: Steps): StatusSample[] {
  let state = start;
  return taken.map(({ between, inside, isTorn }) => {
    state += between;
    const revision = revisions[state] as number;
    state += inside;
    // An entry that the member has applied and not counted yet.
    const isBehind = isTorn && between + inside > 0;
    return sample(isBehind ? state - 1 : state, revision);
  });
}

const log = fc.array(fc.boolean(), { minLength: 120, maxLength: 120 }).map((writes) => {
  let revision = 1;
  return writes.map((isWrite) => (revision += isWrite ? 1 : 0));
});

test("members of one history are never in conflict while they move", () => {
  fc.assert(
    fc.property(log, steps, steps, fc.nat(10), (revisions, mine, yours, start) => {
      // Rest means that no entry is half applied: three equal answers in a row never fall into one.
      const moves = (all: Steps) => all.map((one) => ({ ...one, between: one.between + 1 }));
      const pass = new Map([
        ["a", run(revisions, 5, moves(mine))],
        ["b", run(revisions, start, moves(yours))],
      ]);
      expect(skewsOf(pass)).toEqual([]);
    }),
  );
});

test("two at rest at one index with other revisions are in conflict, exactly", () => {
  const rest = (revision: number) =>
    Array.from({ length: restSamples }, () => sample(30, revision));
  const pass = new Map([
    ["a", rest(20)],
    ["b", rest(19)],
    ["c", rest(20)],
  ]);
  const skew = { index: 30, revision: 20, otherRevision: 19, isExact: true };
  expect(skewsOf(pass)).toEqual([
    { one: "a", other: "b", ...skew },
    { one: "c", other: "b", ...skew },
  ]);
});

test("a member that moves too fast for exact answers is caught by what it passes", () => {
  const above = [sample(30, 20), sample(31, 20), sample(32, 20)];
  const below = [sample(33, 19), sample(34, 19), sample(35, 19)];
  expect(
    skewsOf(
      new Map([
        ["a", above],
        ["b", below],
      ]),
    ),
  ).toMatchObject([{ one: "a", other: "b" }]);
  const fresh = [sample(33, 19), sample(34, 20), sample(35, 21)];
  expect(
    skewsOf(
      new Map([
        ["a", above],
        ["b", fresh],
      ]),
    ),
  ).toEqual([]);
});

test("rest is the same answer several times in a row, at the end", () => {
  const one = sample(3, 2);
  expect(restOf([one, one])).toBeUndefined();
  expect(restOf([sample(2, 2), one, one, one])).toEqual({ index: 3, revision: 2 });
  expect(restOf([one, one, one, sample(4, 2)])).toBeUndefined();
  expect(restOf([one, one, sample(3, 3)])).toBeUndefined();
});
