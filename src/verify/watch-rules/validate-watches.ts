/** Compares all watches of a history with what really happened, by all rules of watches. */
import type { Watch } from "../history/types.js";
import { atomic } from "./atomic.js";
import { bookmarkable } from "./bookmarkable.js";
import { filter } from "./filter.js";
import { future } from "./future.js";
import { isCreate } from "./is-create.js";
import { ordered } from "./ordered.js";
import { prevKv } from "./prev-kv.js";
import { reliable } from "./reliable.js";
import { resumable } from "./resumable.js";
import { seenWatch, type WatchTruth } from "./seen-watch.js";
import { unique } from "./unique.js";
import type { WatchRule, WatchRuleId } from "./watch-rule.js";

/** All rules, in the order of findings. */
export const watchRules: readonly WatchRule[] = [
  filter,
  ordered,
  unique,
  atomic,
  bookmarkable,
  future,
  resumable,
  reliable,
  prevKv,
  isCreate,
];

/** Those that a watch can break whatever really happened. */
const ownRules: readonly WatchRule[] = [filter, ordered, unique, atomic, bookmarkable, future];
/** Knows nothing, so it contradicts nothing. */
const anyTruth: WatchTruth = {
  revision: Number.MAX_SAFE_INTEGER,
  compactRevision: Number.MAX_SAFE_INTEGER,
  eventsAt: () => [],
};

/** One broken rule, as a sentence that names the watch. */
export interface WatchFinding {
  readonly rule: WatchRuleId;
  readonly invariant: "C5";
  readonly text: string;
}

/** In the order of watches, and of rules within one; empty: no rule is broken. */
export function validateWatches(
  watches: readonly Watch[],
  truth: WatchTruth,
): readonly WatchFinding[] {
  return findingsOf(watches, truth, watchRules);
}

/** What is wrong with each watch by itself, in any order of the operations. */
export function validateWatchesAlone(watches: readonly Watch[]): readonly WatchFinding[] {
  return findingsOf(watches, anyTruth, ownRules);
}

function findingsOf(
  watches: readonly Watch[],
  truth: WatchTruth,
  rules: readonly WatchRule[],
): readonly WatchFinding[] {
  const findings: WatchFinding[] = [];
  for (const watch of watches) {
    const seen = seenWatch(watch);
    for (const rule of rules) {
      for (const text of rule.check(seen, truth)) {
        findings.push({ rule: rule.id, invariant: "C5", text: `${subject(watch)} ${text}` });
      }
    }
  }
  return findings;
}

function subject({ id, member, range, revision }: Watch): string {
  const keys = range.end === undefined ? range.key : `[${range.key}, ${JSON.stringify(range.end)})`;
  return `watch ${id} of ${keys} at ${member} (from ${revision === 0 ? "now" : revision})`;
}
