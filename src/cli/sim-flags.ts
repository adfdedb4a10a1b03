/** The flags of `lockstep sim`. */
import { parseArgs } from "node:util";
import { type Invariant, isInvariant } from "../verify/sim/invariants.js";

/** The range includes both ends. */
export interface SeedRange {
  readonly from: number;
  readonly to: number;
}

export interface SimFlags extends SeedRange {
  readonly shard: { readonly at: number; readonly of: number };
  readonly minutes: number | undefined;
  readonly members: number | undefined;
  readonly isBeyondAtlas: boolean;
  readonly stopAtFirst: boolean;
  readonly isJson: boolean;
  /** True: run each seed twice; both runs must give the same trace. */
  readonly isTwice: boolean;
  readonly jobs: number;
  readonly without: ReadonlySet<Invariant>;
  readonly plan: string | undefined;
  readonly out: string | undefined;
  readonly shrink: boolean;
  /** True: shrink failing plans and report their size, in `--json` too. */
  readonly isSized: boolean;
  /** The words of the command line, for child processes. */
  readonly words: readonly string[];
}

export const simUsage = `Usage: lockstep sim [flags]
       lockstep sim designs | --mutants [flags]     (see --help of each)

Runs whole clusters under virtual time, each from a seed, with faults, and checks every step.

  --seed N           one seed, with a report if it fails
  --seeds A..B       these seeds (1..100)
  --shard I/N        only every N-th of them, from the I-th on
  --minutes M        stop after so long
  --jobs N           processes (one for each core)
  --members N        clusters of this size only
  --beyond-atlas     faults that may cost a quorum: the cluster may stop, but never lie
  --stop-at-first    stop at the first failure
  --twice            run each seed twice and compare the traces
  --without I1,C3    switch off the report of these invariants
  --plan FILE        run a plan instead of seeds
  --out DIR          where reports of failures go (lockstep-sim)
  --no-shrink        report failures as they are
  --json             one line of JSON for each seed
  --size             with --json: shrink failing plans and tell their size

Exit: 0 clean, 1 an invariant was violated, 3 a cluster did not recover, 4 a member stopped by
itself, 2 wrong usage.
`;

const options = {
  seed: { type: "string" },
  seeds: { type: "string" },
  shard: { type: "string" },
  minutes: { type: "string" },
  jobs: { type: "string" },
  members: { type: "string" },
  "beyond-atlas": { type: "boolean" },
  "stop-at-first": { type: "boolean" },
  twice: { type: "boolean" },
  without: { type: "string" },
  plan: { type: "string" },
  out: { type: "string" },
  "no-shrink": { type: "boolean" },
  size: { type: "boolean" },
  json: { type: "boolean" },
} as const;

/** @throws Error with a text for people */
export function parseSimFlags(words: readonly string[], jobsDefault: number): SimFlags {
  const { values } = parseArgs({ args: [...words], options, strict: true });
  const range = values.seed === undefined ? seedsOf(values.seeds ?? "1..100") : one(values.seed);
  const isSingle = range.from === range.to || values.plan !== undefined;
  return {
    ...range,
    shard: shardOf(values.shard ?? "0/1"),
    minutes: values.minutes === undefined ? undefined : positive("--minutes", values.minutes),
    members: values.members === undefined ? undefined : whole("--members", values.members, 1, 9),
    isBeyondAtlas: values["beyond-atlas"] ?? false,
    stopAtFirst: values["stop-at-first"] ?? false,
    isJson: values.json ?? false,
    isTwice: values.twice ?? false,
    jobs: isSingle ? 1 : whole("--jobs", values.jobs ?? `${jobsDefault}`, 1, 64),
    without: invariantsOf("--without", values.without ?? ""),
    plan: values.plan,
    out: values.out,
    shrink: values["no-shrink"] !== true,
    isSized: values.size ?? false,
    words,
  };
}

function one(text: string): SeedRange {
  const seed = whole("--seed", text, 0, Number.MAX_SAFE_INTEGER);
  return { from: seed, to: seed };
}

/** @throws Error with a text for people */
export function seedsOf(text: string): SeedRange {
  const match = /^(\d+)\.\.(\d+)$/.exec(text);
  const from = Number(match?.[1]);
  const to = Number(match?.[2]);
  if (match === null || from > to || !Number.isSafeInteger(to)) {
    throw new Error(`--seeds ${text}: give a range such as 1..100`);
  }
  return { from, to };
}

/** Reads names with commas between them. @throws Error with a text for people */
export function invariantsOf(flag: string, text: string): ReadonlySet<Invariant> {
  const found = new Set<Invariant>();
  for (const name of text.split(",").filter((part) => part !== "")) {
    if (!isInvariant(name)) {
      throw new Error(`${flag}: no check reports ${name}; docs/simulation.md lists the invariants`);
    }
    found.add(name);
  }
  return found;
}

function shardOf(text: string): { readonly at: number; readonly of: number } {
  const match = /^(\d+)\/(\d+)$/.exec(text);
  const at = Number(match?.[1]);
  const of = Number(match?.[2]);
  if (match === null || of < 1 || at >= of) {
    throw new Error(`--shard ${text}: give I/N with I from 0 to N - 1, such as 0/4`);
  }
  return { at, of };
}

/** @throws Error with a text for people */
export function whole(flag: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < min || value > max) {
    throw new Error(`${flag} ${text}: give a whole number from ${min} to ${max}`);
  }
  return value;
}

function positive(flag: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`${flag} ${text}: give a number above 0`);
  return value;
}
