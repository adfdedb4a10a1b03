/**
 * The faults of a run, drawn from its seed before it begins, so that they can be saved and run
 * again. One fault ends before the next one begins, except that several members may be harmed by
 * one fault.
 */
import type { Rng } from "../platform/rng.js";

export const faultKinds = ["kill", "pause"] as const;
export type FaultKind = (typeof faultKinds)[number];

export interface PlannedFault {
  /** Milliseconds after the traffic began. */
  readonly atMs: number;
  readonly kind: FaultKind;
  readonly members: readonly string[];
  /** Milliseconds that the members stay killed or paused. */
  readonly forMs: number;
}

export interface FaultPlan {
  readonly seed: number;
  readonly durationMs: number;
  readonly faults: readonly PlannedFault[];
}

/** Time for clients before the first fault, and after the last one. */
const calmMs = 1_000;
const betweenMs = [700, 2_500] as const;
/** Longer than etcd's and our election timeouts, so that a leader is replaced. */
const lastsMs: Readonly<Record<FaultKind, readonly [number, number]>> = {
  kill: [0, 2_000],
  pause: [300, 4_000],
};
/** So many of 1000 faults harm all members, and so many a minority. */
const allPerMille = 150;

export function drawFaultPlan(
  rng: Rng,
  options: {
    readonly seed: number;
    readonly durationMs: number;
    readonly members: readonly string[];
    readonly kinds: readonly FaultKind[];
  },
): FaultPlan {
  const { seed, durationMs, members, kinds } = options;
  const faults: PlannedFault[] = [];
  const between = ([from, to]: readonly [number, number]): number => from + rng.int(to - from + 1);
  let atMs = calmMs;
  while (kinds.length > 0) {
    atMs += between(betweenMs);
    const kind = kinds[rng.int(kinds.length)] as FaultKind;
    const forMs = between(lastsMs[kind]);
    if (atMs + forMs + calmMs > durationMs) break;
    faults.push({ atMs, kind, members: victims(rng, members), forMs });
    atMs += forMs;
  }
  return { seed, durationMs, faults };
}

function victims(rng: Rng, members: readonly string[]): readonly string[] {
  if (rng.int(1000) < allPerMille) return members;
  const minority = Math.max(1, Math.floor((members.length - 1) / 2));
  const left = [...members];
  return Array.from({ length: 1 + rng.int(minority) }, () => {
    const [one] = left.splice(rng.int(left.length), 1);
    return one as string;
  });
}
