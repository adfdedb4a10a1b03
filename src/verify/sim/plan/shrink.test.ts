/** Shrinking of known failures: the needed parts stay, everything else goes. */
import { expect, test } from "vitest";
import type { Plan } from "./plan.js";
import { generatePlan } from "./plan-generator.js";
import { shrink, sizeOf } from "./shrink.js";

const plan = generatePlan(15, { isBeyondAtlas: false, members: 5 });

/** Fails if these faults and requests are in the plan. */
function failsWith(faults: readonly (number | string)[], ops: readonly number[]) {
  return (candidate: Plan) => {
    const has =
      faults.every((id) => candidate.faults.some((fault) => fault.id === id)) &&
      ops.every((id) => candidate.ops.some((op) => op.id === id));
    return { invariant: has ? "X1" : undefined, atMs: candidate.swarm.durationMs };
  };
}

test("exactly what is needed remains", () => {
  const faults = [plan.faults[1]?.id ?? 0, plan.faults.at(-1)?.id ?? 0];
  const ops = [plan.ops[3]?.id ?? 0, plan.ops[40]?.id ?? 0];
  const run = failsWith(faults, ops);
  const small = shrink(plan, "X1", { run, runsMax: 5_000 }).plan;
  expect(small.faults.map(({ id }) => id)).toEqual(faults);
  expect(small.ops.map(({ id }) => id)).toEqual(ops);
  expect(small.swarm).toMatchObject({ members: 1, clients: 1, keys: 1 });
  expect(small.swarm.weather.lossPerMille).toBe(0);
});

test("another failure is not the same failure", () => {
  const run = (candidate: Plan) => ({
    invariant: candidate.ops.length === plan.ops.length ? "X1" : "X2",
    atMs: candidate.swarm.durationMs,
  });
  const small = shrink(plan, "X1", { run, runsMax: 500 }).plan;
  expect(small.ops).toEqual(plan.ops);
  expect(small.faults).toEqual([]);
});

test("what comes after the failure goes first, and the budget is kept", () => {
  let runs = 0;
  const run = (candidate: Plan) => {
    runs++;
    return { invariant: candidate.ops.length > 0 ? "X1" : undefined, atMs: 5_000 };
  };
  const { plan: small, runs: told } = shrink(plan, "X1", { run, runsMax: 3 });
  expect(runs).toBe(3);
  expect(told).toBe(3);
  expect(small.ops.every(({ atMs }) => atMs <= 5_000)).toBe(true);
  expect(sizeOf(small)).toBeLessThan(sizeOf(plan));
});
