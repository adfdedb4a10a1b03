/** Plans as files: the reader accepts what the writer wrote, and nothing else. */
import { describe, expect, test } from "vitest";
import { actionKinds } from "./action-kinds.js";
import { faultKinds } from "./fault-kinds.js";
import { decodePlan, encodePlan } from "./plan-file.js";
import { generatePlan } from "./plan-generator.js";

const options = { isBeyondAtlas: false, members: undefined };

test("what is written is read back, for plans of all kinds", () => {
  const kinds = new Set<string>();
  for (let seed = 1; seed <= 60; seed++) {
    const plan = generatePlan(seed, { ...options, isBeyondAtlas: seed % 7 === 0 });
    expect(decodePlan(encodePlan(plan))).toEqual(plan);
    for (const { kind } of plan.faults) kinds.add(kind);
    for (const { action } of plan.ops) kinds.add(action.kind);
  }
  expect([...kinds].sort()).toEqual(
    [...Object.keys(faultKinds), ...Object.keys(actionKinds)].sort(),
  );
});

describe("what is not a plan is refused with its place", () => {
  const good = JSON.parse(encodePlan(generatePlan(2, options))) as Record<string, unknown>;
  const fault = { id: 1, atMs: 5, kind: "crash", target: 0, mode: "power", downMs: 3 };
  const cases: readonly (readonly [string, string, RegExp])[] = [
    ["nothing", "", /not JSON/],
    ["half a file", encodePlan(generatePlan(2, options)).slice(0, 500), /not JSON/],
    ["another format", JSON.stringify({ ...good, format: 2 }), /format 2/],
    ["no seed", JSON.stringify({ ...good, seed: "x" }), /seed: a number/],
    ["a world with a hole", JSON.stringify({ ...good, swarm: {} }), /swarm\.members/],
    ["faults that are none", JSON.stringify({ ...good, faults: 7 }), /faults: a list/],
    ["an unknown fault", JSON.stringify({ ...good, faults: [{ ...fault, kind: "melt" }] }), /melt/],
    [
      "half a fault",
      JSON.stringify({ ...good, faults: [{ ...fault, downMs: undefined }] }),
      /faults\[0\]: downMs is missing/,
    ],
    [
      "an unknown action",
      JSON.stringify({ ...good, ops: [{ id: 1, atMs: 1, client: 0, member: 0, action: {} }] }),
      /ops\[0\]\.action/,
    ],
  ];
  test.each(cases)("%s", (_name, text, message) => {
    expect(() => decodePlan(text)).toThrow(message);
  });
});
