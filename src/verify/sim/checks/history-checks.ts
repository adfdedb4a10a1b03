/**
 * Compares what clients saw with the log at the end of a run. It replays committed requests in a
 * model that shares no code with the members. The answers of operations must be possible in this
 * order (C1 to C3), local reads must show what was there (C4), watches must show all of it
 * (C5-<rule>).
 */
import { openRequest } from "../../../wire/internal-request.js";
import type { History, Request } from "../../history/types.js";
import { judgeByGround } from "../../linearizability/etcd/ground-check.js";
import { Replay } from "../../linearizability/etcd/replay.js";
import type { EtcdReason } from "../../linearizability/etcd/verdict.js";
import { validateSerializable } from "../../watch-rules/serializable.js";
import { validateWatches } from "../../watch-rules/validate-watches.js";
import { requestOfEntry } from "../clients/client-calls.js";
import type { Invariant } from "../invariants.js";
import type { ClientPlace } from "../violation.js";
import type { Ghost } from "./ghost.js";

/** What the checkers of clients' histories found, under the invariant's name. */
export interface HistoryFinding {
  readonly invariant: Invariant;
  readonly text: string;
  readonly place?: ClientPlace;
}

/** Reasons that have their own invariant; all others mean: not linearizable (C1). */
const invariants: Partial<Record<EtcdReason, Invariant>> = {
  "real-time": "C3",
  "lost-write": "C2",
  "refused-effect": "C2",
};

/**
 * Judges the history of a run, the most basic invariants first. `compacts`: the cluster also
 * compacts by itself, which K judges.
 */
export function judgeSimHistory(
  history: History,
  ghost: Ghost,
  compacts = false,
): readonly HistoryFinding[] {
  const ground = new Replay();
  for (const { request, atUs } of committedRequests(ghost)) ground.append(request, atUs);
  const { operations, watches } = history;
  // C6 judges when leases may end by themselves, because it knows the clocks.
  const options = { ground, expiry: "any", isShared: false, isExact: true, compacts } as const;
  const { verdict, reason, text, operationIds, atUs } = judgeByGround(operations, options);
  const findings: HistoryFinding[] = [];
  if (verdict !== "linearizable") {
    const invariant = (reason === undefined ? undefined : invariants[reason]) ?? "C1";
    const operation = operations.find(({ id }) => id === operationIds[0]);
    const seenUs = atUs ?? operation?.returnUs;
    const place = {
      ...(operation === undefined ? {} : { operationId: operation.id, member: operation.member }),
      ...(seenUs === undefined ? {} : { atUs: seenUs }),
    };
    findings.push({ invariant, text: `${reason}: ${text}`, place });
  }
  findings.push(...validateSerializable(operations, ground));
  for (const { rule, invariant, text } of validateWatches(watches, ground)) {
    findings.push({ invariant: `${invariant}-${rule}`, text });
  }
  return findings;
}

/** The changes that the log made to the key space, in its order. */
function* committedRequests(
  ghost: Ghost,
): IterableIterator<{ readonly request: Request; readonly atUs: number | undefined }> {
  for (let index = 1; index <= ghost.committedMax; index++) {
    const { entry, atUs } = ghost.committed.get(index) ?? {};
    if (ghost.stopped.has(index)) continue;
    if (entry === undefined || entry.type !== 0 || entry.data.length === 0) continue;
    const { field, body } = openRequest(entry.data);
    const request = requestOfEntry(field, body);
    if (request !== undefined) yield { request, atUs };
  }
}
