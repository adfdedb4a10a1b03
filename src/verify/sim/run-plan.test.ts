/**
 * The simulator on our own code: plans of all kinds are clean, a run depends only on its plan, and
 * faults and requests really take effect.
 */
import { describe, expect, test } from "vitest";
import { runs } from "../../base/campaign.fixture.js";
import { generatePlan } from "./plan/plan-generator.js";
import { runPlan } from "./run-plan.js";

/** CI also runs 1 to 25, each twice, and 1,000 others: `lockstep sim`. */
const seeds = Array.from({ length: runs(8, 24) }, (_, at) => at + 1);
const anySize = { isBeyondAtlas: false, members: undefined };

describe("seeds", () => {
  let acknowledged = 0;
  const seen = new Set<string>();

  test.each(seeds)("seed %i is clean", (seed) => {
    const result = runPlan(generatePlan(seed, anySize));
    expect(result.violation).toBeUndefined();
    acknowledged += result.acknowledged;
    for (const { text } of result.history.marks) seen.add(text.split(",")[0] as string);
  });

  test("they do something: requests are answered, faults of many kinds happen", () => {
    expect(acknowledged).toBeGreaterThan(100 * seeds.length);
    expect(seen.size).toBeGreaterThan(8);
  });
});

test.each([3, 7, 12])("seed %i beyond the atlas may stop the cluster, but nobody lies", (seed) => {
  expect(
    runPlan(generatePlan(seed, { ...anySize, isBeyondAtlas: true })).violation,
  ).toBeUndefined();
});

test("the same plan gives the same trace, another seed another", () => {
  const run = (seed: number) => {
    const { traceHash, events, messages, history } = runPlan(generatePlan(seed, anySize));
    return { traceHash, events, messages, operations: history.operations };
  };
  const [first, again, other] = [12, 12, 16].map(run);
  expect(again).toEqual(first);
  expect(other?.traceHash).not.toBe(first?.traceHash);
});

test("a majority that is rolled back is found by the one that has more, and by its leader", () => {
  const found = { atMember: 0, atLeader: 0 };
  for (let seed = 1; found.atMember === 0 || found.atLeader === 0; seed++) {
    expect(seed).toBeLessThan(200);
    const plan = generatePlan(seed, { ...anySize, isBeyondAtlas: true });
    if (!plan.faults.some(({ kind }) => kind === "rollBack")) continue;
    const { violation } = runPlan(plan, {
      log: (line) => {
        if (line.includes("this member answers nothing")) found.atMember++;
        if (line.includes("still has them")) found.atLeader++;
      },
    });
    expect(violation).toBeUndefined();
  }
});
