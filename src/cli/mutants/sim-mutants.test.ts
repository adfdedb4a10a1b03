/** When a mutant counts as caught, and what `lockstep sim --mutants` prints and returns. */
import { describe, expect, test } from "vitest";
import type { Mutant } from "../../verify/mutation/types.js";
import type { RunVerdict, SeedLine } from "../sim-run.js";
import { findNeededSeed } from "./mutant-needed.js";
import { isGood, MutantRun, type SimOutput } from "./mutant-run.js";
import { scoreOf, tableRow, totals } from "./mutant-table.js";
import { parseMutantFlags } from "./sim-mutants.js";

const bug: Mutant = {
  ...{ id: "T1", title: "a bug", origin: "here", conditions: "always" },
  ...{ caughtBy: ["C5"], patches: [] },
};
const control: Mutant = { ...bug, isControl: true, caughtBy: [] };

type Answer = Partial<SeedLine> | "broken";

/** Runs with a fake simulator. It returns for each seed what `mutated` and `unchanged` say. */
async function find(
  mutant: Mutant,
  mutated: Readonly<Record<number, Answer>>,
  unchanged: Readonly<Record<number, Answer>> = {},
) {
  const calls: string[] = [];
  const run = async (main: string, words: readonly string[]): Promise<SimOutput> => {
    calls.push([main, ...words].join(" "));
    const [from = 0, to = 0] = (words[1] ?? "").split("..").map(Number);
    const lines: SeedLine[] = [];
    for (let seed = from; seed <= to; seed++) {
      const answer = (main === "mutated" ? mutated : unchanged)[seed] ?? {};
      if (answer === "broken") return { lines, error: "ended with code 70" };
      lines.push(lineOf(seed, answer));
      if (lines.at(-1)?.verdict !== "ok") break;
    }
    return { lines, error: undefined };
  };
  const result = await new MutantRun(mutant, "mutated", {
    ...{ run, ownMain: "unchanged", ranges: [{ from: 1, to: 5 }], isFresh: false, shrink: false },
    unchanged: new Map(),
  }).find();
  return { result, calls };
}

function lineOf(seed: number, answer: Partial<SeedLine>): SeedLine {
  const invariant = answer.invariant ?? "";
  const verdict: RunVerdict = invariant === "" ? "ok" : "violation";
  const rest = { simulatedMs: 1, events: 1, traceHash: 1, text: "", faults: [] };
  return { seed, verdict, invariant, ms: 10, mutantRan: 1, ...rest, ...answer };
}

describe("a bug", () => {
  test("is caught by the first seed that fails, and by a rule of the named invariant", async () => {
    const { result } = await find(bug, { 3: { invariant: "C5-ordered" } });
    expect(result).toMatchObject({ verdict: "caught", seed: 3, seeds: 3, ms: 30, skipped: 0 });
    expect(tableRow(result)).toMatch(/^T1 +caught +C5-ordered, seed 3 +3 +30 ms +a bug\n$/);
  });

  test.each(["C50", "I1"])("that only %s catches is caught by another: not good", async (name) => {
    const { result } = await find(bug, { 1: { invariant: name }, 4: { invariant: name } });
    expect(result).toMatchObject({ verdict: "caught by another", invariant: name, seed: 1 });
    expect(isGood(result)).toBe(false);
  });

  test("that another catches first is caught by a later seed, where its own does", async () => {
    const { result } = await find(bug, { 1: { invariant: "I1" }, 3: { invariant: "C5-unique" } });
    expect(result).toMatchObject({ verdict: "caught", seed: 3, seeds: 3, skipped: 0 });
  });

  test("is not caught by a seed that the unchanged code fails as well", async () => {
    const failure = { invariant: "C5" };
    const { result, calls } = await find(bug, { 2: failure, 4: failure }, { 2: failure });
    expect(result).toMatchObject({ verdict: "caught", seed: 4, seeds: 4, skipped: 1 });
    expect(calls.map((call) => call.split(" ").slice(0, 3).join(" "))).toEqual([
      "mutated --seeds 1..5",
      "unchanged --seeds 2..2",
      "mutated --seeds 3..5",
      "unchanged --seeds 4..4",
    ]);
  });

  test("is not caught by a seed where it did not run", async () => {
    const { result } = await find(bug, { 2: { invariant: "C5", mutantRan: 0 } });
    expect(result).toMatchObject({ verdict: "missed", seed: undefined, skipped: 1 });
    expect(isGood(result)).toBe(false);
  });

  test("that never ran is not covered", async () => {
    const idle = { mutantRan: 0 };
    const { result } = await find(bug, { 1: idle, 2: idle, 3: idle, 4: idle, 5: idle });
    expect(result.verdict).toBe("not covered");
    expect(isGood(result)).toBe(false);
  });

  test("whose build does not run is broken, not caught", async () => {
    const { result } = await find(bug, { 2: "broken" });
    expect(result).toMatchObject({ verdict: "broken", text: "ended with code 70" });
    expect(isGood(result)).toBe(false);
  });

  test("gets its own flags", async () => {
    const { calls } = await find({ ...bug, flags: ["--members", "1"] }, {});
    expect(calls[0]).toMatch(/--members 1$/);
  });
});

describe("the seed that shows that a check is needed", () => {
  const ranges = [
    { from: 1, to: 4 },
    { from: 5, to: 70 },
  ];

  /**
   * `failing` names, for each seed, the invariants that can fail it: the first one that is not left
   * out does.
   */
  async function findNeeded(failing: Readonly<Record<number, readonly string[]>>) {
    const calls: string[] = [];
    const run = async (_main: string, words: readonly string[]): Promise<SimOutput> => {
      const [from = 0, to = 0] = (words[1] ?? "").split("..").map(Number);
      const without = words.includes("--without") ? words.at(-1) : undefined;
      calls.push(without === undefined ? `${from}..${to}` : `${from} without ${without}`);
      const seeds = Array.from({ length: to - from + 1 }, (_, at) => from + at);
      const lines = seeds.map((seed) =>
        lineOf(seed, { invariant: failing[seed]?.find((name) => name !== without) ?? "" }),
      );
      return { lines, error: undefined };
    };
    const search = { main: "mutated", flags: [], invariant: "I10" } as const;
    return { seed: await findNeededSeed(run, search, ranges), calls };
  }

  test("is one that passes without the check; ranges are tried in turn", async () => {
    const failing = { 2: ["I10", "C1"], 3: ["I9"], 40: ["I10"], 50: ["I10"] };
    const { seed, calls } = await findNeeded(failing);
    expect(seed).toBe(40);
    expect(calls).toEqual(["1..4", "2 without I10", "5..34", "35..64", "40 without I10"]);
  });

  test("is not there if another check always sees it too", async () => {
    const { seed, calls } = await findNeeded({ 2: ["I10", "C1"] });
    expect(seed).toBeUndefined();
    expect(calls.at(-1)).toBe("65..70");
  });
});

describe("a control", () => {
  test("is clean when no seed fails that the unchanged code passes", async () => {
    const failure = { invariant: "I9" };
    const { result } = await find(control, { 2: failure }, { 2: failure });
    expect(result).toMatchObject({ verdict: "clean", skipped: 1 });
    expect(isGood(result)).toBe(true);
  });

  test("is flagged by any failure of its own", async () => {
    const { result } = await find(control, { 5: { invariant: "S2" } });
    expect(result).toMatchObject({ verdict: "flagged", invariant: "S2" });
    expect(isGood(result)).toBe(false);
  });
});

test("the score counts bugs, not controls, and names what is not as it must be", async () => {
  const caught = (await find(bug, { 1: { invariant: "C5" } })).result;
  const another = (await find(bug, { 1: { invariant: "C1" } })).result;
  const missed = (await find({ ...bug, id: "T2" }, {})).result;
  const clean = (await find(control, {})).result;
  const results = [caught, another, missed, clean];
  expect(scoreOf(results)).toEqual({
    ...{ mutants: 3, caught: 1, byAnother: 1, controls: 1, clean: 1, percent: 33.3 },
  });
  const text = totals(results, 1500, [{ from: 1, to: 60 }]);
  expect(text).toContain("Mutation score 33.3 %: 1 of 3 caught, 1 only by another");
  const next = "next: lockstep sim --mutants --only T2 --fresh --seeds 61..241";
  expect(text.endsWith(`\nT2: missed: ${next}\n`)).toBe(true);
  expect(text).toContain("\nT1: caught by another: C1: next: ");
});

describe("the command line", () => {
  test("chooses mutants, seeds and jobs", () => {
    const { chosen, jobs, parts } = parseMutantFlags(
      "--mutants --only m01,M03 --seeds 7..9 --jobs 3".split(" "),
    );
    expect(chosen.map(({ id }) => id)).toEqual(["M01", "M03"]);
    expect(parts).toMatchObject({ ranges: [{ from: 7, to: 9 }], isFresh: false });
    expect(jobs).toBe(3);
  });

  test("has defaults", () => {
    const { chosen, jobs, parts, isJson } = parseMutantFlags(["--mutants"]);
    expect(chosen.length).toBeGreaterThan(50);
    expect({ jobs, isJson, ranges: parts.ranges }).toEqual({
      ...{ jobs: 2, isJson: false, ranges: [{ from: 1, to: 60 }] },
    });
  });

  test.each([
    [["--only", "M99"], "there is no mutant M99"],
    [["--seeds", "9..7"], "--seeds 9..7"],
    [["--jobs", "0"], "--jobs 0"],
    [["--sedes", "1"], "--sedes"],
    [["--without", "X1"], "no check reports X1"],
    [["--check", "--reseed"], "one of --check, --reseed"],
  ])("%j is refused", (words, error) => {
    expect(() => parseMutantFlags(words)).toThrow(error);
  });
});
