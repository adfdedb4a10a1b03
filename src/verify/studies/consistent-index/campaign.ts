/**
 * The cases of the page, and what history says of each: the finding that it must give, or that it
 * must give none. A campaign runs the same seeds on every case and shrinks the first failure. It is
 * equally wrong if a clean case gives a finding, or if a wrong case gives none.
 */

import { chooserOf, drawPlan } from "./draw.js";
import type { Kind } from "./law.js";
import type { Counters } from "./member-model.js";
import { type DesignName, type Hazards, noHazards } from "./plan.js";
import { replayStory, type Story } from "./replay.js";
import { run, type Severity } from "./run.js";
import { findingOf, shrink } from "./shrink.js";

export interface StudyCase {
  readonly name: string;
  readonly design: DesignName;
  readonly hazards: Hazards;
  /** The finding that the law must give; undefined: none. */
  readonly expected: Kind | undefined;
  /** Whether some of the harm must remain after a restart. */
  readonly isHarmful: boolean;
  readonly remark: string;
}

function caseOf(
  design: DesignName,
  expected: Kind | undefined,
  more: { readonly hazards?: Partial<Hazards>; readonly remark?: string; readonly name?: string },
): StudyCase {
  const { hazards = {}, remark = "", name = design } = more;
  // If a configuration is too early, its own entry writes it again.
  const isHarmful = expected !== undefined && hazards.confStateByHook !== true;
  return { name, design, hazards: { ...noHazards, ...hazards }, expected, isHarmful, remark };
}

const everyHazard: Hazards = {
  twoSections: true,
  defragSkipsHook: true,
  rejectedKeepsIndex: true,
  confStateByHook: true,
};

/** The four designs on the plain workload, then the weak points that real releases had. */
export const cases: readonly StudyCase[] = [
  caseOf("oldest", "index too small", { remark: "#11651: users applied twice" }),
  caseOf("enhanced", "index too large", { remark: "#13766: a put is lost" }),
  caseOf("final", undefined, { remark: "the control" }),
  caseOf("lockstep", undefined, {}),
  caseOf("final", "part of an entry", {
    name: "final + two sections",
    hazards: { twoSections: true },
    remark: "a checkpoint of several leases; read in the code, no report known",
  }),
  caseOf("final", "index too small", {
    name: "final + bare defrag",
    hazards: { defragSkipsHook: true },
    remark: "#14685: it commits without the hook; fixed in 3.5.6",
  }),
  caseOf("final", "index below the log", {
    name: "final + refused entries",
    hazards: { rejectedKeepsIndex: true },
    remark: "#13937: they do not move the index; fixed in 3.5.4",
  }),
  caseOf("final", "part of an entry", {
    name: "final + conf by hook",
    hazards: { confStateByHook: true },
    remark: "the voters are early, but are written again; read in the code",
  }),
  caseOf("lockstep", undefined, {
    name: "lockstep + all of these",
    hazards: everyHazard,
    remark: "there is no place for them",
  }),
];

/** The smallest failing run of a case. */
export interface CaseStory extends Story {
  readonly seed: number;
  /** How many events the plan had as drawn, the crash included. */
  readonly eventsBefore: number;
}

export interface CaseResult {
  readonly case: StudyCase;
  readonly firstSeed: number;
  readonly seeds: number;
  /** Seeds with a broken image, and with damage that a restart does not repair. */
  readonly lawSeeds: number;
  readonly harmSeeds: number;
  readonly firstLawSeed: number | undefined;
  readonly firstHarmSeed: number | undefined;
  /** Every kind that was the first finding of a seed. */
  readonly kinds: ReadonlyMap<Kind, number>;
  readonly counters: Counters;
  readonly story: CaseStory | undefined;
}

/** The seeds from `first` on, so many as `count` says. */
export interface StudySeeds {
  readonly first: number;
  readonly count: number;
}

/**
 * Runs all seeds, and shrinks the plan of the first harmful one; without any, the first that broke
 * the law.
 */
export function runCase(subject: StudyCase, seeds: StudySeeds): CaseResult {
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
  const counts = {
    firstSeed: seeds.first,
    seeds: seeds.count,
    lawSeeds,
    harmSeeds,
    firstLawSeed,
    firstHarmSeed,
  };
  return { case: subject, ...counts, kinds, counters, story };
}

function storyOf(subject: StudyCase, seed: number, severity: Severity): CaseStory | undefined {
  const drawn = drawPlan(seed, subject.design, subject.hazards);
  const result = run(drawn, { until: severity }, chooserOf(seed));
  const kind = findingOf(result, severity)?.kind;
  if (kind === undefined) return undefined;
  const { choices } = result;
  const shrunk = shrink({ plan: { ...drawn, choices }, severity, kind });
  const story = replayStory(shrunk.plan, severity);
  return story === undefined ? undefined : { ...story, seed, eventsBefore: choices.length + 1 };
}

/** Limits within which the lost entry of `enhanced` must be found and shown. */
const lostEntrySeedsMax = 50;
const lostEntryEventsMax = 12;

/** True when the case did what history says of it. */
export function isAsExpected(result: CaseResult): boolean {
  const { expected, isHarmful } = result.case;
  if (expected === undefined) return result.lawSeeds === 0;
  if (result.case.name === "enhanced") {
    const seedsNeeded = (result.firstHarmSeed ?? Number.POSITIVE_INFINITY) - result.firstSeed + 1;
    const events = result.story?.eventsAfter ?? Number.POSITIVE_INFINITY;
    if (seedsNeeded > lostEntrySeedsMax || events > lostEntryEventsMax) return false;
  }
  const onlyKind = result.kinds.size === 1 && result.kinds.has(expected);
  return onlyKind && result.harmSeeds > 0 === isHarmful;
}
