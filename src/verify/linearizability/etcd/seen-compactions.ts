/**
 * Compactions as refusals and ended watches show them, whoever asked for them: the cluster itself
 * (auto-compaction), or a client that the history does not know. Such an answer says that a compaction
 * above some revision had happened by then. So nothing below it may be read afterwards.
 *
 * "Afterwards" is certain in two ways: the operation was called after that answer, or it saw a revision
 * that an operation made which was called after that answer.
 */
import { possibleOps, takenOps } from "../../history/txn-ops.js";
import type { History, Operation, PlainOp, Request } from "../../history/types.js";
import { refusal } from "./effect.js";
import { isAnswered, isLocalRead, madeItsRevision } from "./entry-claims.js";
import { type CheckFailure, describeOperation } from "./verdict.js";

interface Seen {
  /** The compaction is at this revision or a later one. */
  readonly revision: number;
  /** The time at which a client knew of the compaction. */
  readonly atUs: number;
  /** The refused operation; undefined: a watch was told. */
  readonly by: Operation | undefined;
  readonly words: string;
}

export class SeenCompactions {
  /** By time. A later one counts only if it is at a later revision. */
  readonly #seen: readonly Seen[];
  /** Revisions by the calls of the operations that made them, ascending by call. */
  readonly #callsUs: readonly number[];
  /** The lowest revision made by the i-th of these calls or a later one. */
  readonly #lowest: readonly number[];
  readonly #operations: readonly Operation[];

  constructor({ operations, watches }: Pick<History, "operations" | "watches">) {
    this.#operations = operations;
    const makers = operations
      .filter(isAnswered)
      .filter(madeItsRevision)
      .sort((a, b) => a.callUs - b.callUs);
    const lowest = makers.map(({ outcome }) => outcome.revision);
    for (let at = lowest.length - 2; at >= 0; at--) {
      lowest[at] = Math.min(lowest[at] as number, lowest[at + 1] as number);
    }
    this.#callsUs = makers.map(({ callUs }) => callUs);
    this.#lowest = lowest;
    const all = [...operations.flatMap(seenByRefusal), ...watches.flatMap(seenByWatch)];
    const seen: Seen[] = [];
    for (const one of all.sort((a, b) => a.atUs - b.atUs)) {
      // A compaction is at most at the newest revision. What says otherwise is wrong.
      if (one.revision > this.#newestAt(one.atUs)) continue;
      if (one.revision > (seen.at(-1)?.revision ?? 0)) seen.push(one);
    }
    this.#seen = seen;
  }

  /** The highest revision below which the history shows that all is gone; 0: none. */
  get revision(): number {
    return this.#seen.at(-1)?.revision ?? 0;
  }

  /** Whether this refusal is possible: a compaction could be where it says. */
  explains(operation: Operation): boolean {
    const [seen] = seenByRefusal(operation);
    return seen !== undefined && seen.revision <= this.#newestAt(seen.atUs);
  }

  /** An answer that needs a revision which somebody had been told was gone. */
  contradiction(): CheckFailure | undefined {
    if (this.#seen.length === 0) return undefined;
    for (const operation of this.#operations) {
      const needed = isAnswered(operation) && !isLocalRead(operation) ? neededBy(operation) : 0;
      if (needed === 0) continue;
      const before = this.#before(operation);
      if (before === undefined || before.revision <= needed) continue;
      const text = `${describeOperation(operation)} needs revision ${needed}, although ${before.words} that revisions below ${before.revision} were compacted`;
      const operations = before.by === undefined ? [operation] : [operation, before.by];
      return { reason: "wrong-answer", text, operations };
    }
    return undefined;
  }

  /** The last one that certainly was before the operation. */
  #before({ callUs, outcome }: Operation): Seen | undefined {
    const revision = outcome.kind === "ok" ? outcome.revision : 0;
    const isBefore = ({ atUs }: Seen): boolean => atUs < callUs || this.#newestAt(atUs) < revision;
    return this.#seen[countWhile(this.#seen, isBefore) - 1];
  }

  /** The highest revision that the store can have had at that time. */
  #newestAt(us: number): number {
    const place = countWhile(this.#callsUs, (callUs) => callUs <= us);
    return (this.#lowest[place] ?? Number.POSITIVE_INFINITY) - 1;
  }
}

function seenByRefusal(operation: Operation): readonly Seen[] {
  const { request, outcome, returnUs } = operation;
  if (outcome.kind !== "refused" || outcome.error !== refusal.compacted) return [];
  const revision = leastCompaction(request);
  if (revision === undefined || returnUs === undefined) return [];
  const words = `${describeOperation(operation)} had been told`;
  return [{ revision, atUs: returnUs, by: operation, words }];
}

function seenByWatch({ id, responses }: History["watches"][number]): readonly Seen[] {
  return responses.flatMap(({ compactRevision, atUs }) =>
    compactRevision === undefined
      ? []
      : [{ revision: compactRevision, atUs, by: undefined, words: `watch ${id} had been told` }],
  );
}

/** Where a compaction is at least, if it was the reason to refuse. Undefined: it never is one. */
function leastCompaction(request: Request): number | undefined {
  if (request.kind === "compact") return request.revision;
  const asked = readsOf(request);
  return asked.length === 0 ? undefined : Math.min(...asked) + 1;
}

/** The lowest revision that must still be there for this answer; 0: none. */
function neededBy({ request, outcome }: Operation): number {
  // A compaction is refused at and below the one before it.
  if (request.kind === "compact") return request.revision - 1;
  if (request.kind !== "txn") return readsOf(request)[0] ?? 0;
  if (outcome.kind !== "ok" || outcome.answer.kind !== "txn") return 0;
  const asked = revisionsOf(takenOps(request, outcome.answer).map(([op]) => op));
  return asked.length === 0 ? 0 : Math.min(...asked);
}

function readsOf(request: Request): readonly number[] {
  if (request.kind === "txn") return revisionsOf(possibleOps(request));
  return request.kind === "range" ? revisionsOf([request]) : [];
}

function revisionsOf(ops: readonly PlainOp[]): readonly number[] {
  return ops.flatMap((op) =>
    op.kind === "range" && (op.revision ?? 0) > 0 ? [op.revision as number] : [],
  );
}

/** How many at the beginning of the list are so; those behind them are not. */
function countWhile<T>(list: readonly T[], isSo: (one: T) => boolean): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isSo(list[middle] as T)) low = middle + 1;
    else high = middle;
  }
  return low;
}
