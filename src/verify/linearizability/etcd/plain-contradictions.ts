/**
 * Contradictions that remain for every choice of unknown effects, found by comparing the answers
 * alone. A search would find them only by trying everything.
 */
import { isSameLease, notRecorded } from "../../history/not-recorded.js";
import { takenOps } from "../../history/txn-ops.js";
import type { History, KeyValue, Operation, PlainOp } from "../../history/types.js";
import { isAnswered, isLocalRead, madeItsRevision } from "./entry-claims.js";
import { countUpTo, type HistoryEvidence, type Seen } from "./evidence.js";
import { type CheckFailure, describeOperation } from "./verdict.js";

export interface KnownOrder {
  /** The operation that made each revision, by the answers. */
  readonly makers: ReadonlyMap<number, Operation>;
  /** The last revision that an answer names. */
  readonly last: number;
  /** Revisions up to `last` that no answer accounts for, ascending. */
  readonly gaps: readonly number[];
}

/** The revisions that answers place, or the reason why there is no such order. */
export function knownOrder(operations: readonly Operation[]): KnownOrder | CheckFailure {
  const makers = new Map<number, Operation>();
  let last = 1;
  let lastOperation: Operation | undefined;
  let others = 0;
  for (const operation of operations) {
    if (isLocalRead(operation)) continue;
    if (!isAnswered(operation)) {
      if (operation.outcome.kind === "unknown") others++;
      continue;
    }
    const { request, outcome } = operation;
    const { revision } = outcome;
    if (request.kind === "other" || request.kind === "leaseKeepAlive") continue;
    if (revision > last) {
      last = revision;
      lastOperation = operation;
    }
    if (request.kind === "leaseGrant" || request.kind === "leaseRevoke") others++;
    if (!madeItsRevision(operation)) continue;
    const rival = makers.get(revision);
    if (rival !== undefined) {
      const text = `${describeOperation(operation)} and ${describeOperation(rival)} both say that they made revision ${revision}`;
      return { reason: "doubled-revision", text, operations: [operation, rival] };
    }
    makers.set(revision, operation);
  }
  if (last - 1 > makers.size + others && lastOperation !== undefined) {
    const text = `${describeOperation(lastOperation)}: nothing can have made that many revisions`;
    return { reason: "no-order", text, operations: [lastOperation] };
  }
  const gaps: number[] = [];
  for (let at = 2; at <= last; at++) if (!makers.has(at)) gaps.push(at);
  return { makers, last, gaps };
}

/** The first contradiction that shows without a search. Undefined: there is none. */
export function plainContradiction(
  { operations }: History,
  evidence: HistoryEvidence,
  order: KnownOrder,
): CheckFailure | undefined {
  const early = outOfTime(operations);
  if (early !== undefined) return early;
  for (const seen of evidence.all()) {
    const why = impossible(seen, evidence, order);
    if (why === undefined) continue;
    const text = `${describeOperation(seen.by)} shows key ${JSON.stringify(seen.kv.key)} with mod revision ${seen.kv.mod}: ${why}`;
    return { reason: "wrong-answer", text, operations: [seen.by] };
  }
  return undefined;
}

/** An answer from before a revision that was acknowledged when the client asked (C3). */
function outOfTime(operations: readonly Operation[]): CheckFailure | undefined {
  const answered = operations
    .filter(isAnswered)
    .filter((one) => !isLocalRead(one))
    .filter(({ request }) => request.kind !== "leaseKeepAlive" && request.kind !== "other");
  const calls = answered.toSorted((a, b) => a.callUs - b.callUs);
  const endOf = ({ returnUs }: Operation) => returnUs ?? Number.POSITIVE_INFINITY;
  const returns = answered.toSorted((a, b) => endOf(a) - endOf(b));
  let returned = 0;
  let floor = returns[0];
  let least = 0;
  for (const operation of calls) {
    for (; returned < returns.length; returned++) {
      const earlier = returns[returned] as (typeof answered)[number];
      if (endOf(earlier) >= operation.callUs) break;
      if (earlier.outcome.revision <= least) continue;
      least = earlier.outcome.revision;
      floor = earlier;
    }
    // An operation that saw a revision came after the operation that made it.
    const first = operation.outcome.revision - (madeItsRevision(operation) ? 1 : 0);
    if (first >= least || floor === undefined) continue;
    return tooEarly(operation, floor);
  }
  return undefined;
}

function tooEarly(operation: Operation, before: Operation): CheckFailure {
  const text = `${describeOperation(operation)} comes from before its call, though ${describeOperation(before)} had returned`;
  return { reason: "real-time", text, operations: [operation, before] };
}

function impossible(seen: Seen, evidence: HistoryEvidence, order: KnownOrder): string | undefined {
  const { kv, last, rival } = seen;
  const { key, create, mod, version } = kv;
  if (rival !== undefined) return "another answer shows it differently";
  if (mod < 2 || mod > order.last) return "there is no such revision";
  const isWhole = create !== notRecorded && version !== notRecorded;
  if (isWhole && (create > mod || (create === mod) !== (version === 1))) {
    return "its versions do not fit";
  }
  const maker = order.makers.get(mod);
  if (maker !== undefined && !mayPut(maker, seen)) return `${describeOperation(maker)} made that`;
  if (evidence.putsWithin(key, mod, last) > 0) return `at revision ${last} a newer one was there`;
  if (!isWhole) return undefined;
  const known = evidence.putsWithin(key, create, mod);
  if (version < 1 + known) return "it was written more often";
  const gaps = countWithin(order.gaps, create, mod);
  if (version > 1 + known + gaps) return "it was not written that often";
  return undefined;
}

function mayPut({ request, outcome }: Operation, seen: Seen): boolean {
  if (outcome.kind !== "ok") return true;
  const { answer } = outcome;
  if (request.kind === "put") return isPutOf(request, seen);
  if (request.kind !== "txn" || answer.kind !== "txn") return false;
  return takenOps(request, answer).some(([op]) => isPutOf(op, seen));
}

/** True if this operation wrote the version that an answer showed. */
export function isPutOf(
  op: PlainOp,
  { kv, isBare }: { readonly kv: KeyValue; readonly isBare: boolean },
): boolean {
  return (
    op.kind === "put" &&
    op.key === kv.key &&
    (isBare || op.value === kv.value) &&
    isSameLease(op.lease, kv.lease)
  );
}

/** How many of ascending numbers are in (from, to]. */
function countWithin(list: readonly number[], from: number, to: number): number {
  return countUpTo(list, to) - countUpTo(list, from);
}
