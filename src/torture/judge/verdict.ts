/**
 * Judges a run, and counts what was tried, so that a reader can tell what a clean verdict is worth.
 */
import type { History } from "../../verify/history/types.js";
import { type JudgeOptions, judgeHistory } from "../../verify/linearizability/judge-history.js";
import type { TortureResult } from "../run.js";
import { availabilityGaps, gapFindings } from "./availability.js";
import { leaseFindings } from "./lease-promises.js";
import { upkeepFindings } from "./upkeep-promises.js";

/** "unknown": the judge reached a limit, and found nothing wrong before. */
export type VerdictKind = "clean" | "violation" | "unknown";

export interface TortureVerdict {
  readonly kind: VerdictKind;
  /** What was found, in one sentence. */
  readonly text: string;
  readonly findings: readonly string[];
  /** Ids of operations that contradict each other. The first is the one that fits nowhere. */
  readonly operationIds: readonly number[];
}

/** The counts in report.json, by name. `schema` changes when a field changes its meaning. */
export interface TriedCounts {
  readonly operations: Readonly<Record<string, number>>;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly watches: number;
  readonly events: number;
  /** How many members were harmed, by kind of fault. */
  readonly faults: Readonly<Record<string, number>>;
  /** How often the members were compared after a fault. */
  readonly comparisons: number;
}

/** Judges by all rules. A violation counts more than a limit that the judge reached. */
export function judgeRun(
  { history, findings }: TortureResult,
  options: JudgeOptions,
): TortureVerdict {
  const judged = judgeHistory(history, options);
  const wrong = judged.verdict === "not" ? judged.texts : [];
  const all = [
    ...findings,
    ...leaseFindings(history),
    ...upkeepFindings(history),
    ...gapFindings(availabilityGaps(history)),
    ...wrong,
  ];
  const { operationIds } = judged;
  if (all.length > 0) {
    return { kind: "violation", text: all[0] as string, findings: all, operationIds };
  }
  if (judged.verdict === "unknown") {
    const text = `it cannot be told: ${judged.texts[0] ?? "no reason"}`;
    return { kind: "unknown", text, findings: judged.texts, operationIds };
  }
  const text = `every promise held in ${history.operations.length} operations and ${history.watches.length} watches`;
  return { kind: "clean", text, findings: [], operationIds: [] };
}

/** Counts what the run did; it does not judge. */
export function countTried({ history, hits, comparisons }: TortureResult): TriedCounts {
  const operations: Record<string, number> = {};
  const outcomes: Record<string, number> = {};
  const add = (counts: Record<string, number>, name: string): void => {
    counts[name] = (counts[name] ?? 0) + 1;
  };
  for (const { request, outcome } of history.operations) {
    const isLocal = request.kind === "range" && request.serializable === true;
    const name = request.kind === "other" ? request.name : request.kind;
    add(operations, isLocal ? "serializable range" : name);
    add(outcomes, outcome.kind);
  }
  return {
    ...{ operations, outcomes, watches: history.watches.length, events: eventsOf(history) },
    faults: Object.fromEntries(hits),
    comparisons,
  };
}

function eventsOf({ watches }: History): number {
  return watches.reduce(
    (sum, { responses }) =>
      sum + responses.reduce((events, response) => events + response.events.length, 0),
    0,
  );
}
