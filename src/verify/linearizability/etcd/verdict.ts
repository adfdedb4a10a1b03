/** The result of the etcd checker for a history. */
import type { Operation } from "../../history/types.js";

/**
 * What is wrong, in a word that stays the same:
 *  - real-time: an answer from before something that had been acknowledged already
 *  - wrong-answer: no state at the answer's revision gives it
 *  - lost-write: acknowledged, and the revision it names was made by something else or by nothing
 *  - doubled-revision: two operations name the revision that they made, and it is the same
 *  - refused-effect: refused, and it happened nevertheless
 *  - wrong-refusal: refused for a reason that never held while it waited
 *  - nobody-asked: a change that no operation asked for
 *  - early-expiry: a lease ended by itself before its time
 *  - no-order: no choice of what the unknown operations did explains the answers
 *  - limit: the search was ended before it found out (of the verdict "unknown")
 */
export type EtcdReason =
  | "real-time"
  | "wrong-answer"
  | "lost-write"
  | "doubled-revision"
  | "refused-effect"
  | "wrong-refusal"
  | "nobody-asked"
  | "early-expiry"
  | "no-order"
  | "limit";

export interface EtcdVerdict {
  readonly verdict: "linearizable" | "not" | "unknown";
  /** Absent: linearizable. */
  readonly reason?: EtcdReason;
  /** The operations that contradict each other; first the one that cannot be placed. */
  readonly operationIds: readonly number[];
  /** One or two sentences for people; empty: linearizable. */
  readonly text: string;
  /** How many operations were placed before the contradiction; all of them if linearizable. */
  readonly placed: number;
  /** The time of the contradiction on the history's clock; absent: linearizable. */
  readonly atUs?: number;
}

/**
 * Why a history is refused. `operations`: those that contradict each other, the one that fits
 * nowhere first.
 */
export interface CheckFailure {
  readonly reason: EtcdReason;
  readonly text: string;
  readonly operations: readonly Operation[];
}

/** The operation in a few words, for the texts of failures. */
export function describeOperation({ id, client, member, request, outcome }: Operation): string {
  const asked = "key" in request ? `${request.kind} ${JSON.stringify(request.key)}` : request.kind;
  const said =
    outcome.kind === "ok" ? `answered at revision ${outcome.revision}` : `${outcome.kind}`;
  return `operation ${id} (${asked}, client ${client} at ${member}, ${said})`;
}

/** The verdict for a failure: "unknown" if a limit was reached, else "not". */
export function failed(failure: CheckFailure, placed: number): EtcdVerdict {
  const { reason, text, operations } = failure;
  const first = operations[0];
  return {
    verdict: reason === "limit" ? "unknown" : "not",
    reason,
    operationIds: operations.map(({ id }) => id),
    text,
    placed,
    ...(first === undefined ? {} : { atUs: first.returnUs ?? first.callUs }),
  };
}
