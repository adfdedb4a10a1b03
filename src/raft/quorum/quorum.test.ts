import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareIds, jointCommitted, jointIds, jointVote } from "./joint.js";
import { majorityCommitted } from "./majority.js";

const majority = fc
  .uniqueArray(fc.integer({ min: 1, max: 9 }), { maxLength: 7 })
  .map((ids) => ids.map(BigInt).sort(compareIds));
const acks = fc
  .array(fc.option(fc.nat(12), { nil: undefined }), { minLength: 10, maxLength: 10 })
  .map((list) => (id: bigint) => list[Number(id)]);
const votes = fc
  .array(fc.option(fc.boolean(), { nil: undefined }), { minLength: 10, maxLength: 10 })
  .map((list) => {
    const pairs = list.map((vote, at) => [BigInt(at), vote] as const);
    return new Map(pairs.filter((pair): pair is [bigint, boolean] => pair[1] !== undefined));
  });

/** Tries every index. This is the definition, not the algorithm. */
function naiveCommitted(
  groups: readonly (readonly bigint[])[],
  acked: (id: bigint) => number | undefined,
): number {
  const holds = (index: number) =>
    groups.every((group) => {
      const holders = group.filter((id) => (acked(id) ?? 0) >= index).length;
      return group.length === 0 || holders * 2 > group.length;
    });
  if (groups.every((group) => group.length === 0)) return Number.POSITIVE_INFINITY;
  let index = 0;
  while (holds(index + 1)) index++;
  return index;
}

/** Tries both outcomes of every missing vote. */
function naiveVote(groups: readonly (readonly bigint[])[], given: ReadonlyMap<bigint, boolean>) {
  const wins = (missing: boolean) =>
    groups.every((group) => {
      const granted = group.filter((id) => given.get(id) ?? missing).length;
      return group.length === 0 || granted * 2 > group.length;
    });
  if (wins(false)) return "won";
  return wins(true) ? "pending" : "lost";
}

describe("joint quorums agree with their definition", () => {
  test("committed index", () => {
    fc.assert(
      fc.property(majority, majority, acks, (incoming, outgoing, acked) => {
        const expected = naiveCommitted([incoming, outgoing], acked);
        expect(jointCommitted({ incoming, outgoing }, acked)).toBe(expected);
        expect(jointCommitted({ incoming: outgoing, outgoing: incoming }, acked)).toBe(expected);
        expect(majorityCommitted(incoming, acked)).toBe(naiveCommitted([incoming], acked));
      }),
      { numRuns: 1_000 },
    );
  });

  test("vote", () => {
    fc.assert(
      fc.property(majority, majority, votes, (incoming, outgoing, given) => {
        const result = jointVote({ incoming, outgoing }, given);
        expect(result).toBe(naiveVote([incoming, outgoing], given));
      }),
      { numRuns: 1_000 },
    );
  });

  test("ids are the union, ascending by all 64 bits", () => {
    const big = 2n ** 63n;
    const ids = jointIds({ incoming: [2n, big], outgoing: [1n, 2n, big + 1n] });
    expect(ids).toEqual([1n, 2n, big, big + 1n]);
  });
});
