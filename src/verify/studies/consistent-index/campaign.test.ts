/**
 * Each design must do what history says of it: the campaign catches and shrinks the historical
 * bugs, and never flags the control and our own design.
 */
import { describe, expect, test } from "vitest";
import { type CaseResult, cases, isAsExpected, runCase } from "./campaign.js";
import { chooserOf, drawPlan } from "./draw.js";
import { revisionRow, type StudyEntry } from "./log-entry.js";
import { type DesignName, noHazards } from "./plan.js";
import { replayStory } from "./replay.js";
import { run, runPlan } from "./run.js";

function resultOf(name: string, count: number, first = 1): CaseResult {
  const subject = cases.find((each) => each.name === name);
  if (subject === undefined) throw new Error(`no case ${name}`);
  return runCase(subject, { first, count });
}

describe("oldest", () => {
  const result = resultOf("oldest", 300);

  test("its index is too small, never too large", () => {
    expect([...result.kinds.keys()]).toEqual(["index too small"]);
    expect(isAsExpected(result)).toBe(true);
  });

  test("only what is not idempotent stays wrong: the auth revision counts twice", () => {
    expect(result.story?.plan.log).toEqual([{ kind: "auth" }]);
    expect(result.story?.finding.differences).toEqual([
      { row: "authRevision", here: 2, elsewhere: 1 },
    ]);
    // Entries that save no index but may be applied twice break the law without lasting harm.
    expect(result.lawSeeds).toBeGreaterThan(result.harmSeeds);
  });
});

describe("enhanced (#13766)", () => {
  const result = resultOf("enhanced", 50);

  test("an entry is lost within 50 seeds, in at most 12 events", () => {
    expect(result.firstHarmSeed).toBeLessThanOrEqual(50);
    expect([...result.kinds.keys()]).toEqual(["index too large"]);
    expect(result.story?.eventsAfter).toBeLessThanOrEqual(12);
    expect(isAsExpected(result)).toBe(true);
  });

  test("the story is the one of the postmortem: the ticker commits between index and write", () => {
    const { plan, events, finding } = result.story as NonNullable<CaseResult["story"]>;
    expect(plan.log.map(({ kind }) => kind)).toEqual(["put", "put"]);
    const apply = events.filter(({ actor }) => actor === "apply").map(({ text }) => text);
    expect(apply.at(-1)).toBe("memory index := 2");
    expect(events.filter(({ actor }) => actor !== "apply").map(({ text }) => text)).toEqual([
      "lock",
      "hook: write index=2",
      "commit",
    ]);
    expect(finding).toMatchObject({ index: 2, contentIndex: 1, isHarmful: true });
    expect(finding.differences).toContainEqual({ row: revisionRow, here: 1, elsewhere: 2 });
  });

  test("twice the same, and the plan alone replays it", () => {
    const again = resultOf("enhanced", 50);
    expect(again).toEqual(result);
    const plan = JSON.parse(JSON.stringify(result.story?.plan));
    expect(replayStory(plan, "harm")?.finding).toEqual(result.story?.finding);
  });

  test("no event of the plan can be left out", () => {
    const plan = result.story?.plan as NonNullable<CaseResult["story"]>["plan"];
    for (let place = 0; place < plan.choices.length; place++) {
      const choices = plan.choices.toSpliced(place, 1);
      expect(runPlan({ ...plan, choices }, { until: "harm" }).harm).toBeUndefined();
    }
  });

  test("any range of seeds finds it quickly", () => {
    for (const first of [1_000, 20_000, 300_000]) {
      const other = resultOf("enhanced", 50, first);
      expect(other.firstHarmSeed).toBeLessThan(first + 50);
      expect(other.story?.eventsAfter).toBeLessThanOrEqual(12);
    }
  });
});

describe("clean designs", () => {
  test("final, the control, is never flagged", () => {
    const result = resultOf("final", 5_000);
    expect([result.lawSeeds, result.harmSeeds]).toEqual([0, 0]);
  });

  test("lockstep is never flagged, with everything on", () => {
    const result = resultOf("lockstep + all of these", 5_000);
    expect([result.lawSeeds, result.harmSeeds]).toEqual([0, 0]);
  });

  test("they are not clean by being idle: entries, commits, crashes and every committer ran", () => {
    const entries = new Set<StudyEntry["kind"]>();
    for (const design of ["final", "lockstep"] satisfies DesignName[]) {
      const actors = new Set<string>();
      for (let seed = 1; seed <= 100; seed++) {
        const plan = drawPlan(seed, design, noHazards);
        for (const { kind } of plan.log) entries.add(kind);
        const { choices, counters } = run(plan, { until: "harm" }, chooserOf(seed));
        for (const choice of choices) actors.add(choice);
        expect(counters.commits).toBeGreaterThan(0);
        expect(counters.entries).toBeGreaterThanOrEqual(plan.log.length);
      }
      const worker = design === "final" ? ["worker"] : [];
      expect([...actors].sort()).toEqual(
        ["apply", "backup", "crash", "defrag", "ticker", ...worker].sort(),
      );
    }
    expect(entries.size).toBe(9);
  });
});

describe("weak points of releases of the final design", () => {
  const weak = cases.filter(({ name }) => name.startsWith("final +"));
  test.each(weak.map(({ name }) => name))("%s", (name) => {
    const result = resultOf(name, 500);
    expect(isAsExpected(result)).toBe(true);
    expect(result.story?.eventsAfter).toBeLessThanOrEqual(12);
  });

  test("an entry in two sections keeps its first half for ever", () => {
    const { finding } = resultOf("final + two sections", 50).story as NonNullable<
      CaseResult["story"]
    >;
    expect(finding).toMatchObject({ kind: "part of an entry", isHarmful: true });
    expect(finding.differences).toEqual([{ row: "lease/2/left", here: undefined, elsewhere: 10 }]);
  });
});

test("a case that finds nothing, or something else, is not as expected", () => {
  const clean = resultOf("final", 20);
  const lost = resultOf("enhanced", 20);
  expect(isAsExpected({ ...clean, case: lost.case })).toBe(false);
  expect(isAsExpected({ ...lost, case: clean.case })).toBe(false);
  const late = { ...lost, firstHarmSeed: 51 };
  expect(isAsExpected(late)).toBe(false);
});
