/** The draws of one kind of fault or request do not depend on which other kinds exist. */
import { describe, expect, test } from "vitest";
import { type ActionSpec, actionKinds } from "./action-kinds.js";
import { type FaultSpec, faultKinds } from "./fault-kinds.js";
import { generatePlan, type Kinds } from "./plan-generator.js";

const options = { isBeyondAtlas: false, members: undefined };
const seeds = Array.from({ length: 120 }, (_, at) => at + 1);

const meteor: FaultSpec<{ readonly size: number }> = {
  ...{ weight: 40, group: "common", fields: ["size"] },
  draw: (at) => ({ size: at.int(100, 10) }),
};
/** A kind of fault that occurs once in half of the plans. */
const flood: FaultSpec<{ readonly depth: number }> = {
  ...{ weight: 500, group: "once", fields: ["depth"] },
  draw: (at) => ({ depth: at.int(100, 10) }),
};
const gossip: ActionSpec<{ readonly key: number }> = {
  ...{ number: 99, weight: 20, isAlways: true },
  draw: ({ key }) => ({ key }),
};

const known: Kinds = { faults: faultKinds, actions: actionKinds };
const more: readonly (readonly [string, Kinds])[] = [
  [
    "first",
    { faults: { meteor, flood, ...faultKinds }, actions: { gossip, ...actionKinds } } as Kinds,
  ],
  [
    "last",
    { faults: { ...faultKinds, meteor, flood }, actions: { ...actionKinds, gossip } } as Kinds,
  ],
];

function isKnown({ kind }: { readonly kind: string }): boolean {
  return !["meteor", "flood", "gossip"].includes(kind);
}

describe.each(more)("a fault and a request that are new, and come %s,", (_, kinds) => {
  test("leave all others as they were: when, what, and under which id", () => {
    let [faults, ops, floods] = [0, 0, 0];
    for (const seed of seeds) {
      const before = generatePlan(seed, options, known);
      const after = generatePlan(seed, options, kinds);
      expect(after.swarm).toEqual(before.swarm);
      expect(after.faults.filter(isKnown)).toEqual(before.faults);
      expect(after.ops.filter(({ action }) => isKnown(action))).toEqual(before.ops);
      const drowned = after.faults.filter(({ kind }) => (kind as string) === "flood").length;
      expect(drowned).toBeLessThan(2);
      floods += drowned;
      faults += after.faults.length - before.faults.length;
      ops += after.ops.length - before.ops.length;
    }
    // The faults happened, and often.
    expect(faults).toBeGreaterThan(seeds.length);
    expect(ops).toBeGreaterThan(10 * seeds.length);
    expect(Math.abs(floods - seeds.length / 2)).toBeLessThan(seeds.length / 4);
  });
});

test("a kind less leaves the others as they were", () => {
  const { pause: _pause, ...faults } = faultKinds;
  const kinds = { faults, actions: actionKinds } as Kinds;
  for (const seed of seeds) {
    const { faults: all } = generatePlan(seed, options, known);
    expect(generatePlan(seed, options, kinds).faults).toEqual(
      all.filter(({ kind }) => kind !== "pause"),
    );
  }
});

test("ids are unique, and things are in order of time", () => {
  for (const seed of seeds) {
    const { faults, ops } = generatePlan(seed, { ...options, isBeyondAtlas: seed % 5 === 0 });
    for (const list of [faults, ops]) {
      const items = list as readonly { readonly id: number | string; readonly atMs: number }[];
      expect(new Set(items.map(({ id }) => id)).size).toBe(items.length);
      const times = items.map(({ atMs }) => atMs);
      expect(times).toEqual(times.toSorted((a, b) => a - b));
    }
  }
});

test("a fault says what its kind says that it has", () => {
  for (const seed of seeds) {
    for (const { id: _id, atMs: _atMs, kind, ...fields } of generatePlan(seed, options).faults) {
      expect([kind, Object.keys(fields).sort()]).toEqual([
        kind,
        faultKinds[kind].fields.toSorted(),
      ]);
    }
  }
});

test("each kind of request has a number of its own", () => {
  const numbers = Object.values(actionKinds).map(({ number }) => number);
  expect(new Set(numbers).size).toBe(numbers.length);
});
