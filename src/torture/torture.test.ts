import { describe, expect, test } from "vitest";
import { possibleOps } from "../verify/history/txn-ops.js";
import { Dice } from "../verify/sim/plan/dice.js";
import { faultKinds, kindRules } from "./faults/fault-kinds.js";
import { drawFaultPlan, parseFaultPlan } from "./faults/fault-plan.js";
import { drawRequest, Memory } from "./traffic/draw-request.js";
import { outcomeOf } from "./traffic/kv-client.js";

const members = ["m1", "m2", "m3", "m4", "m5"];

function planOf(seed: number, kinds = faultKinds as readonly (typeof faultKinds)[number][]) {
  const rng = new Dice(seed).sequence();
  return drawFaultPlan(rng, { seed, durationMs: 60_000, members, kinds });
}

describe("a plan of faults", () => {
  test("is the same for the same seed, and another for another one", () => {
    expect(planOf(3)).toEqual(planOf(3));
    expect(planOf(3)).not.toEqual(planOf(4));
  });

  test("leaves time between the faults of a lane; harms a minority or all, nobody twice", () => {
    const sizes = new Set<number>();
    for (let seed = 0; seed < 200; seed++) {
      const freeMs = { process: 1_000, network: 1_000 };
      for (const { atMs, forMs, kind, members: harmed } of planOf(seed).faults) {
        const { lane } = kindRules[kind];
        expect(atMs).toBeGreaterThan(freeMs[lane]);
        freeMs[lane] = atMs + forMs;
        expect(new Set(harmed).size).toBe(harmed.length);
        sizes.add(harmed.length);
      }
      expect(Math.max(...Object.values(freeMs))).toBeLessThanOrEqual(59_000);
    }
    expect([...sizes].sort()).toEqual([1, 2, 5]);
  });

  test("survives its file, and a file with another member does not", () => {
    const plan = planOf(5);
    expect(parseFaultPlan(JSON.stringify(plan), members)).toEqual(plan);
    expect(() => parseFaultPlan(JSON.stringify(plan), ["m9"])).toThrow(/there is no member m\d/);
    expect(() => parseFaultPlan('{"seed":1}', members)).toThrow(/seed, durationMs and faults/);
  });

  test("has only the kinds that are asked for", () => {
    expect(planOf(1, []).faults).toEqual([]);
    expect(new Set(planOf(1, ["pause"]).faults.map(({ kind }) => kind))).toEqual(
      new Set(["pause"]),
    );
  });
});

test("no two requests write the same value", () => {
  const rng = new Dice(9).sequence();
  const memory = new Memory();
  const values: string[] = [];
  for (let at = 0; at < 2_000; at++) {
    const request = drawRequest({ rng, memory, keys: 4, value: `v${at}` });
    const ops = request.kind === "txn" ? possibleOps(request) : [request];
    for (const op of ops) if (op.kind === "put") values.push(op.value);
  }
  expect(values.length).toBeGreaterThan(1_000);
  expect(new Set(values).size).toBe(values.length);
});

test("a request has no effect only if it was refused or never sent", () => {
  const put = { kind: "put", key: "k/000", value: "v" } as const;
  const failed = (code: number, isUnsent: boolean) =>
    outcomeOf(put, { kind: "failed", code, text: "why", isUnsent }).kind;
  expect(failed(14, true)).toBe("refused");
  expect(failed(14, false)).toBe("unknown");
  const full = "etcdserver: mvcc: database space exceeded";
  const exhausted = { kind: "failed", code: 8, isUnsent: false } as const;
  expect(outcomeOf(put, { ...exhausted, text: full }).kind).toBe("refused");
  expect(outcomeOf(put, { ...exhausted, text: "stream was reset" }).kind).toBe("unknown");
  expect(failed(4, false)).toBe("unknown");
  // Code 11 is OutOfRange: a revision that is compacted or in the future.
  expect(failed(11, false)).toBe("refused");
});
