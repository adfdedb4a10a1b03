/**
 * Judges what operators' scripts got: a snapshot comes whole or says why not, and a snapshot or a
 * hash fails only while a fault harms the cluster, or shortly after it.
 */
import type { History, Operation } from "../../verify/history/types.js";
import { damagedText, lateText } from "../traffic/snapshot-read.js";
import { type FaultSpan, faultSpans } from "./fault-spans.js";

/** The calls that a member answers from its own state, so that no election excuses it. */
const judged: ReadonlySet<string> = new Set(["Snapshot", "Hash", "HashKV"]);
/** After a fault clients need this long to connect again. */
const afterFaultUs = 5_000_000;
/**
 * Refusals that docs/errors.md promises in calm times, too: the member serves no more than 32 views,
 * and lets go of one that outlived several states or that nobody reads.
 */
const promised = /snapshots and hashes at a time|been replaced several times|was not read for/;

export function upkeepFindings({ operations, marks }: History): readonly string[] {
  const faults = faultSpans(marks);
  return operations.flatMap((operation) => {
    const { request, outcome, member } = operation;
    if (request.kind !== "other" || !judged.has(request.name) || outcome.kind === "ok") return [];
    if (outcome.error.startsWith(damagedText)) {
      return [`a ${request.name} of ${member} ended as if it were whole: ${outcome.error}`];
    }
    const isExcused =
      outcome.error.startsWith(lateText) ||
      promised.test(outcome.error) ||
      isHarmed(operation, faults);
    if (isExcused) return [];
    return [
      `a ${request.name} of ${member} failed although nothing harmed the cluster: ${outcome.error}`,
    ];
  });
}

function isHarmed({ callUs, returnUs }: Operation, faults: readonly FaultSpan[]): boolean {
  const toUs = returnUs ?? Number.MAX_SAFE_INTEGER;
  return faults.some((fault) => fault.fromUs <= toUs && fault.toUs + afterFaultUs >= callUs);
}
