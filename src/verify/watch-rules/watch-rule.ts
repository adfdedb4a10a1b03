/** A rule that every watch must keep: one file for each, by its id. */
import type { WatchEvent } from "../history/types.js";
import type { SeenWatch, WatchTruth } from "./seen-watch.js";

/** The names of the rules; each has a file of that name. */
export type WatchRuleId =
  | "atomic"
  | "bookmarkable"
  | "filter"
  | "future"
  | "is-create"
  | "ordered"
  | "prev-kv"
  | "reliable"
  | "resumable"
  | "unique";

export interface WatchRule {
  /** The rule's name in findings. */
  readonly id: WatchRuleId;
  /** The errors of this watch, each as a sentence without its subject. Empty: there is none. */
  check(seen: SeenWatch, truth: WatchTruth): readonly string[];
}

/** The event in words, for the sentences of findings. */
export function eventText({ type, key, value, mod }: WatchEvent): string {
  const what = type === "put" ? `put ${key} = ${value}` : `delete ${key}`;
  return `${what} at revision ${mod}`;
}
