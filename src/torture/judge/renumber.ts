/**
 * Renumbers the history of a run on a cluster that others use, too, as if nobody else wrote.
 *
 * The check needs every change of the store; here it has only those under the run's own prefix. So
 * own revisions are numbered anew, 2, 3, 4, ..., and any other revision becomes that of the last
 * own change before it. Own are the revisions of acknowledged changes, of keys that were read, and
 * of events that a watch showed.
 */
import { plainAnswers } from "../../verify/history/txn-ops.js";
import type {
  Compare,
  History,
  KeyValue,
  Op,
  OpAnswer,
  Operation,
  OperationAnswer,
  Request,
  Watch,
  WatchEvent,
} from "../../verify/history/types.js";
import { refusal } from "../../verify/linearizability/etcd/effect.js";

export function renumbered(history: History): History {
  const own = ownRevisions(history);
  const rank = new Ranks([...own].toSorted((a, b) => a - b));
  const operations = history.operations.filter((operation) => !isRefusedForCompaction(operation));
  return {
    operations: operations.map((operation) => operationOf(operation, rank)),
    watches: history.watches.map((watch) => watchOf(watch, rank)),
    marks: history.marks,
  };
}

/** Somebody else's compaction: it is at a revision that has no number here. */
function isRefusedForCompaction({ outcome }: Operation): boolean {
  return outcome.kind === "refused" && outcome.error === refusal.compacted;
}

class Ranks {
  readonly #sorted: readonly number[];

  constructor(sorted: readonly number[]) {
    this.#sorted = sorted;
  }

  /**
   * Returns 1, plus one for each own revision up to `revision`. 0 stays 0: it means now, or never.
   */
  of(revision: number): number {
    if (revision === 0) return 0;
    let [low, high] = [0, this.#sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#sorted[middle] as number) <= revision) low = middle + 1;
      else high = middle;
    }
    return 1 + low;
  }
}

function ownRevisions({ operations, watches }: History): ReadonlySet<number> {
  const own = new Set<number>();
  const addKeys = (kvs: readonly (KeyValue | WatchEvent)[]): void => {
    for (const { mod, create } of kvs) {
      own.add(mod);
      if (create > 0) own.add(create);
    }
  };
  for (const { outcome } of operations) {
    if (outcome.kind !== "ok") continue;
    const { answer, revision } = outcome;
    const answers = answer.kind === "txn" ? plainAnswers(answer.answers) : [answer];
    for (const one of answers) {
      if (one.kind === "range") addKeys(one.kvs);
      if (one.kind === "put" || (one.kind === "delete" && one.deleted > 0)) own.add(revision);
    }
  }
  for (const { responses } of watches) for (const { events } of responses) addKeys(events);
  return own;
}

function operationOf(operation: Operation, rank: Ranks): Operation {
  const { outcome } = operation;
  const request = requestOf(operation.request, rank);
  if (outcome.kind !== "ok") return { ...operation, request };
  const answer = answerOf(outcome.answer, rank);
  return {
    ...operation,
    request,
    outcome: { ...outcome, revision: rank.of(outcome.revision), answer },
  };
}

function requestOf(request: Request, rank: Ranks): Request {
  if (request.kind === "range" && request.revision !== undefined) {
    return { ...request, revision: rank.of(request.revision) };
  }
  if (request.kind !== "txn") return request;
  return {
    ...request,
    compares: request.compares.map((compare) => compareOf(compare, rank)),
    success: request.success.map((op) => requestOf(op, rank) as Op),
    failure: request.failure.map((op) => requestOf(op, rank) as Op),
  };
}

function compareOf(compare: Compare, rank: Ranks): Compare {
  const isRevision = compare.target === "mod" || compare.target === "create";
  return isRevision ? { ...compare, value: rank.of(Number(compare.value)) } : compare;
}

function answerOf<T extends OperationAnswer | OpAnswer>(answer: T, rank: Ranks): T {
  if (answer.kind === "txn") {
    return { ...answer, answers: answer.answers.map((one) => answerOf(one, rank)) };
  }
  if (answer.kind !== "range") return answer;
  return { ...answer, kvs: answer.kvs.map((kv) => keyOf(kv, rank)) };
}

function keyOf<T extends KeyValue | WatchEvent>(kv: T, rank: Ranks): T {
  return { ...kv, mod: rank.of(kv.mod), create: rank.of(kv.create) };
}

/** If a compaction of others ended the watch, what it saw before still holds. */
function watchOf(watch: Watch, rank: Ranks): Watch {
  const responses = watch.responses.filter(({ compactRevision }) => compactRevision === undefined);
  return {
    ...watch,
    // The first own revision that is not below the watch's start.
    revision: watch.revision === 0 ? 0 : rank.of(watch.revision - 1) + 1,
    responses: responses.map((response) => ({
      ...response,
      revision: rank.of(response.revision),
      events: response.events.map((event) => {
        const { prev, ...rest } = keyOf(event, rank);
        return prev === undefined ? rest : { ...rest, prev: keyOf(prev, rank) };
      }),
    })),
  };
}
