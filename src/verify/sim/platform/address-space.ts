/**
 * When the things of one kind happen in a plan, and what they are. Each kind has its own address
 * below the seed and its own numbers. So the draws of one kind do not depend on which other kinds
 * exist, on their order, or on how often they happen.
 */
import { invariant } from "../../../base/invariant.js";
import type { Dice } from "../plan/dice.js";

/** Draws for one thing of one kind: `draw` distinguishes several draws for the same thing. */
export interface OwnDraws {
  /** The number of this thing within its kind, with gaps. */
  readonly number: number;
  readonly atMs: number;
  /** A uniform number in [0, below). `draw` is from 2 on. */
  int(below: number, draw: number): number;
}

export interface Rhythm {
  /** The mean time between two occurrences. Infinite: exactly one. */
  readonly everyMs: number;
  readonly fromMs: number;
  /** The range includes its end. */
  readonly toMs: number;
}

/**
 * The sequence starts this many mean times before the beginning, so that the beginning is like any
 * other moment.
 */
const leadTimes = 4;

/** The occurrences in order of time. `dice` is the kind's own. */
export function* occurrences(dice: Dice, rhythm: Rhythm): IterableIterator<OwnDraws> {
  const { everyMs, fromMs, toMs } = rhythm;
  invariant(everyMs >= 1, "something happens without end", () => ({ everyMs }));
  if (everyMs === Number.POSITIVE_INFINITY) {
    const atMs = fromMs + dice.int(toMs - fromMs, 1, 1);
    yield { number: 1, atMs, int: (below, draw) => dice.int(below, 1, draw) };
    return;
  }
  let atMs = Math.floor(fromMs - leadTimes * everyMs);
  for (let number = 1; ; number++) {
    atMs += 1 + dice.int(Math.round(2 * everyMs), number, 1);
    if (atMs > toMs) return;
    if (atMs < fromMs) continue;
    const own = number;
    yield { number: own, atMs, int: (below, draw) => dice.int(below, own, draw) };
  }
}

/** Merges the things of several kinds; the order in which they were drawn does not matter. */
export function byTime<Item extends { readonly atMs: number; readonly id: number | string }>(
  items: readonly Item[],
): readonly Item[] {
  return items.toSorted((a, b) => a.atMs - b.atMs || (String(a.id) < String(b.id) ? -1 : 1));
}
