/**
 * What clients saw, judged against the log at the end of a run: committed requests are replayed in
 * a model that shares no code with the members, and every watch is held against it (C5).
 */
import { openRequest } from "../../../wire/internal-request.js";
import type { History, Request } from "../../history/types.js";
import { Replay } from "../../linearizability/etcd/replay.js";
import { validateWatches } from "../../validators/validate-watches.js";
import { requestOfEntry } from "../client-calls.js";
import type { Ghost } from "./ghost.js";

export interface HistoryFinding {
  readonly invariant: string;
  readonly text: string;
}

export function judgeHistory(history: History, ghost: Ghost): readonly HistoryFinding[] {
  const replay = Replay.of(committedRequests(ghost));
  return validateWatches(history.watches, replay).map(({ rule, invariant, text }) => ({
    invariant: `${invariant}-${rule}`,
    text,
  }));
}

/** What the log did to the key space, in its order. */
function* committedRequests(ghost: Ghost): IterableIterator<Request> {
  for (let index = 1; index <= ghost.committedMax; index++) {
    const entry = ghost.committed.get(index)?.entry;
    if (entry === undefined || entry.type !== 0 || entry.data.length === 0) continue;
    const { field, body } = openRequest(entry.data);
    const request = requestOfEntry(field, body);
    if (request !== undefined) yield request;
  }
}
