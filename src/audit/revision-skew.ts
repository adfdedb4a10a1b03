/**
 * Revisions at equal applied index, from samples that are not atomic. A member has one revision
 * after each log entry, and it never falls. Between two samples in a row, (r1, a1) and (r2, a2):
 *
 *   revision after entry a1      <= r2   (it had applied a1 before it said r2)
 *   revision after entry a2 + 1  >= r1   (an entry counts as applied a moment after it is)
 *
 * A member at rest, which says the same several times in a row, is not in the middle of an entry: it
 * has exactly that revision at that index. Two members whose bounds contradict each other at one
 * index have diverged, although HashKV may be equal at each revision that both have.
 *
 * Two moments break the bounds: a start (the log is counted again, over a state that is ahead) and a
 * state that came as a snapshot. Neither lasts: believe only what two passes say (see `confirmed`).
 */
import type { Conflict } from "./conflicts.js";
import type { StatusSample } from "./evidence.js";

/** This many equal samples in a row mean that the member rests. */
export const restSamples = 3;

interface Point {
  readonly index: number;
  readonly revision: number;
}

/** `one` has at least `revision` at `index`, `other` at most `otherRevision`. */
export interface Skew extends Conflict {
  readonly index: number;
  readonly revision: number;
  readonly otherRevision: number;
  /** True if both members rested at `index`, so that the revisions are exact. */
  readonly isExact: boolean;
}

/** The point where the member rests at the end of a pass. */
export function restOf(samples: readonly StatusSample[]): Point | undefined {
  const last = samples.slice(-restSamples);
  const [first] = last;
  if (first === undefined || last.length < restSamples) return undefined;
  const { appliedIndex, revision } = first;
  const isAtRest = last.every((s) => s.appliedIndex === appliedIndex && s.revision === revision);
  return isAtRest ? { index: appliedIndex, revision } : undefined;
}

function atLeast(samples: readonly StatusSample[]): readonly Point[] {
  const rest = restOf(samples);
  const points = samples.slice(1).map(({ appliedIndex }, at) => ({
    index: appliedIndex + 1,
    revision: (samples[at] as StatusSample).revision,
  }));
  return rest === undefined ? points : [rest, ...points];
}

function atMost(samples: readonly StatusSample[]): readonly Point[] {
  const rest = restOf(samples);
  const points = samples.slice(1).map(({ revision }, at) => ({
    index: (samples[at] as StatusSample).appliedIndex,
    revision,
  }));
  return rest === undefined ? points : [rest, ...points];
}

/** The contradictions of one pass. */
export function skewsOf(pass: ReadonlyMap<string, readonly StatusSample[]>): readonly Skew[] {
  const skews: Skew[] = [];
  for (const [one, samples] of pass) {
    for (const [other, otherSamples] of pass) {
      if (one === other) continue;
      const skew = contradiction(samples, otherSamples);
      if (skew !== undefined) skews.push({ one, other, ...skew });
    }
  }
  return skews;
}

function contradiction(
  above: readonly StatusSample[],
  below: readonly StatusSample[],
): Omit<Skew, "one" | "other"> | undefined {
  for (const low of atLeast(above)) {
    for (const high of atMost(below)) {
      if (low.index > high.index || low.revision <= high.revision) continue;
      const isExact =
        low.index === high.index &&
        restOf(above)?.index === low.index &&
        restOf(below)?.index === high.index;
      return {
        index: high.index,
        revision: low.revision,
        otherRevision: high.revision,
        isExact,
      };
    }
  }
  return undefined;
}
