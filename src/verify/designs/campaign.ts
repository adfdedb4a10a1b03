/**
 * The cases that the page is about, and what history says of each: which finding it must give, or
 * that it must give none. A campaign runs the same seeds on every case and shrinks the first
 * failure. A case that is caught although it should be clean is as wrong as one that is missed.
 */

import { chooserOf, drawPlan } from "./draw.js";
import type { Finding, Kind } from "./law.js";
import type { Counters } from "./member-model.js";
import { type DesignName, type Hazards, noHazards, type Plan } from "./plan.js";
import { type RunEvent, run, runPlan, type Severity } from "./run.js";
import { findingOf, shrink } from "./shrink.js";

export interface Case {
  readonly name: string;
  readonly design: DesignName;
  readonly hazards: Hazards;
  /** What the law must find; undefined: nothing, ever. */
  readonly expected: Kind | undefined;
  /** Whether some of it must stay after a restart. */
  readonly isHarmful: boolean;
  readonly remark: string;
}

function caseOf(
  design: DesignName,
  expected: Kind | undefined,
  more: { readonly hazards?: Partial<Hazards>; readonly remark?: string; readonly name?: string },
): Case {
  const { hazards = {}, remark = "", name = design } = more;
  // A configuration that is early is written again by its own entry.
  const isHarmful = expected !== undefined && hazards.confStateByHook !== true;
  return { name, design, hazards: { ...noHazards, ...hazards }, expected, isHarmful, remark };
}

const everyHazard: Hazards = {
  twoSections: true,
  defragSkipsHook: true,
  rejectedKeepsIndex: true,
  confStateByHook: true,
};

/** The four designs on the plain workload, then the weak points that a release really had. */
export const cases: readonly Case[] = [
  caseOf("oldest", "index too small", { remark: "#11651: users applied twice" }),
  caseOf("enhanced", "index too large", { remark: "#13766: a put is lost" }),
  caseOf("final", undefined, { remark: "the control" }),
  caseOf("lockstep", undefined, {}),
  caseOf("final", "part of an entry", {
    name: "final, entry in two sections",
    hazards: { twoSections: true },
    remark: "a checkpoint of several leases; so to this day",
  }),
  caseOf("final", "index too small", {
    name: "final, defrag without the hook",
    hazards: { defragSkipsHook: true },
    remark: "#14685, fixed in 3.5.6",
  }),
  caseOf("final", "index below the log", {
    name: "final, refused entries",
    hazards: { rejectedKeepsIndex: true },
    remark: "#13937, fixed in 3.5.4",
  }),
  caseOf("final", "part of an entry", {
    name: "final, configuration by the hook",
    hazards: { confStateByHook: true },
    remark: "early, but written again on replay",
  }),
  caseOf("lockstep", undefined, {
    name: "lockstep, all of these",
    hazards: everyHazard,
    remark: "there is no place for them",
  }),
];

/** The smallest failing run of a case. */
export interface Story {
  readonly seed: number;
  readonly plan: Plan;
  readonly events: readonly RunEvent[];
  readonly finding: Finding;
  /** Events of the plan as drawn and as shrunk, the crash included. */
  readonly eventsBefore: number;
  readonly eventsAfter: number;
}

export interface CaseResult {
  readonly case: Case;
  readonly seeds: number;
  /** Seeds with a broken image, and with damage that a restart does not repair. */
  readonly lawSeeds: number;
  readonly harmSeeds: number;
  readonly firstLawSeed: number | undefined;
  readonly firstHarmSeed: number | undefined;
  /** Every kind that was the first finding of a seed. */
  readonly kinds: ReadonlyMap<Kind, number>;
  readonly counters: Counters;
  readonly story: Story | undefined;
}

export interface SeedRange {
  readonly first: number;
  readonly count: number;
}

export function runCase(subject: Case, seeds: SeedRange): CaseResult {
  const kinds = new Map<Kind, number>();
  const counters: Counters = { entries: 0, sections: 0, indexWrites: 0, commits: 0 };
  let lawSeeds = 0;
  let harmSeeds = 0;
  let firstLawSeed: number | undefined;
  let firstHarmSeed: number | undefined;
  for (let seed = seeds.first; seed < seeds.first + seeds.count; seed++) {
    const plan = drawPlan(seed, subject.design, subject.hazards);
    const result = run(plan, { until: "harm" }, chooserOf(seed));
    for (const name of ["entries", "sections", "indexWrites", "commits"] as const) {
      counters[name] += result.counters[name];
    }
    if (result.law !== undefined) {
      lawSeeds++;
      firstLawSeed ??= seed;
      kinds.set(result.law.kind, (kinds.get(result.law.kind) ?? 0) + 1);
    }
    if (result.harm !== undefined) {
      harmSeeds++;
      firstHarmSeed ??= seed;
    }
  }
  const seed = firstHarmSeed ?? firstLawSeed;
  const severity = firstHarmSeed === undefined ? "law" : "harm";
  const story = seed === undefined ? undefined : storyOf(subject, seed, severity);
  const counts = { seeds: seeds.count, lawSeeds, harmSeeds, firstLawSeed, firstHarmSeed };
  return { case: subject, ...counts, kinds, counters, story };
}

function storyOf(subject: Case, seed: number, severity: Severity): Story | undefined {
  const drawn = drawPlan(seed, subject.design, subject.hazards);
  const { choices, ...found } = run(drawn, { until: severity }, chooserOf(seed));
  const kind = findingOf({ choices, ...found }, severity)?.kind;
  if (kind === undefined) return undefined;
  const { plan, events: eventsAfter } = shrink({ plan: { ...drawn, choices }, severity, kind });
  const replayed = runPlan(plan, { until: severity, isTraced: true });
  const finding = findingOf(replayed, severity);
  if (finding === undefined) return undefined;
  const eventsBefore = choices.length + 1;
  return { seed, plan, events: replayed.events, finding, eventsBefore, eventsAfter };
}

/** True when the case did what history says of it. */
export function isAsExpected(result: CaseResult): boolean {
  const { expected, isHarmful } = result.case;
  if (expected === undefined) return result.lawSeeds === 0;
  const onlyKind = result.kinds.size === 1 && result.kinds.has(expected);
  return onlyKind && result.harmSeeds > 0 === isHarmful;
}
