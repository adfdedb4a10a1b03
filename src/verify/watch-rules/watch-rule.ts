/** A rule that every watch keeps: one file each, by its id. */
import type { WatchEvent } from "../history/types.js";
import type { SeenWatch, WatchTruth } from "./seen-watch.js";

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
  /** Named in findings. */
  readonly id: WatchRuleId;
  /** What is wrong with this watch, each as a sentence without its subject; empty: nothing. */
  check(seen: SeenWatch, truth: WatchTruth): readonly string[];
}

export function eventText({ type, key, value, mod }: WatchEvent): string {
  const what = type === "put" ? `put ${key} = ${value}` : `delete ${key}`;
  return `${what} at revision ${mod}`;
}
