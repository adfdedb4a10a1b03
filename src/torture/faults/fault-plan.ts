/**
 * Draws the faults of a run from its seed before it begins, so that they can be saved and run
 * again. Faults of one lane follow each other with a calm time between them.
 */
import type { Rng } from "../../platform/rng.js";
import { type FaultKind, faultKinds, faultLanes, kindRules } from "./fault-kinds.js";
import { leaderPlace } from "./leader.js";

export interface PlannedFault {
  /** When the fault begins, in milliseconds after the begin of the traffic. */
  readonly atMs: number;
  readonly kind: FaultKind;
  /** Names of members, or "leader" alone: the member that leads when the fault begins. */
  readonly members: readonly string[];
  /** Milliseconds that the fault lasts. */
  readonly forMs: number;
  /** A number that decides what the kind of fault leaves open. */
  readonly variant: number;
}

/** The content of plan.json. */
export interface FaultPlan {
  readonly seed: number;
  readonly durationMs: number;
  /** The faults in the order in which they begin. */
  readonly faults: readonly PlannedFault[];
}

const calmMs = 1_000;
const betweenMs = [500, 2_500] as const;
/** Of 1000 faults that harm "few", this many harm all members. */
const allPerMille = 150;
/**
 * Of 1000 of the rest, this many harm the member that leads at that moment; the others a minority.
 */
const leaderPerMille = 350;

export function drawFaultPlan(
  rng: Rng,
  options: {
    readonly seed: number;
    readonly durationMs: number;
    readonly members: readonly string[];
    readonly kinds: readonly FaultKind[];
  },
): FaultPlan {
  const { seed, durationMs } = options;
  const faults = faultLanes.flatMap((lane) =>
    drawLane(rng.fork(lane), {
      ...options,
      kinds: options.kinds.filter((kind) => kindRules[kind].lane === lane),
    }),
  );
  return { seed, durationMs, faults: faults.toSorted((a, b) => a.atMs - b.atMs) };
}

function drawLane(
  rng: Rng,
  options: {
    readonly durationMs: number;
    readonly members: readonly string[];
    readonly kinds: readonly FaultKind[];
  },
): readonly PlannedFault[] {
  const { durationMs, members, kinds } = options;
  const faults: PlannedFault[] = [];
  const between = ([from, to]: readonly [number, number]): number => from + rng.int(to - from + 1);
  let atMs = calmMs;
  while (kinds.length > 0) {
    atMs += between(betweenMs);
    const kind = kinds[rng.int(kinds.length)] as FaultKind;
    const forMs = between(kindRules[kind].lastsMs);
    if (atMs + forMs + calmMs > durationMs) break;
    const harmed = victims(rng, kind, members);
    faults.push({ atMs, kind, members: harmed, forMs, variant: rng.int(1_000_000) });
    atMs += forMs;
  }
  return faults;
}

function victims(rng: Rng, kind: FaultKind, members: readonly string[]): readonly string[] {
  const some = kindRules[kind].victims;
  const isAll = some === "all" || (some === "few" && rng.int(1000) < allPerMille);
  if (isAll) return members;
  if (some === "few" && rng.int(1000) < leaderPerMille) return [leaderPlace];
  const minority = Math.max(1, Math.floor((members.length - 1) / 2));
  const count = some === "one" ? 1 : some === "two" ? 2 : 1 + rng.int(minority);
  const left = [...members];
  return Array.from({ length: Math.min(count, members.length) }, () => {
    const [one] = left.splice(rng.int(left.length), 1);
    return one as string;
  });
}

/** Reads plan.json. @throws Error that says what is wrong */
export function parseFaultPlan(text: string, members: readonly string[]): FaultPlan {
  const plan = JSON.parse(text) as FaultPlan;
  const isWhole = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0;
  if (!isWhole(plan.seed) || !isWhole(plan.durationMs) || !Array.isArray(plan.faults)) {
    throw new Error("a plan has seed, durationMs and faults");
  }
  for (const [at, fault] of plan.faults.entries()) {
    const place = `fault ${at + 1} of the plan`;
    if (!faultKinds.includes(fault.kind)) throw new Error(`${place}: no kind "${fault.kind}"`);
    if (![fault.atMs, fault.forMs, fault.variant].every(isWhole)) {
      throw new Error(`${place}: atMs, forMs and variant are whole numbers`);
    }
    const known = [...members, leaderPlace];
    const stranger = fault.members?.find((member: string) => !known.includes(member));
    if (!Array.isArray(fault.members) || stranger !== undefined) {
      throw new Error(`${place}: there is no member ${stranger ?? "in it"}`);
    }
  }
  return plan;
}
