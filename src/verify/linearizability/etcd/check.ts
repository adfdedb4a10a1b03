/**
 * Is this history of an etcd store linearizable? Revisions are witnesses: a write that returned one
 * has its place in the order, so nothing is searched but the places of what was not answered.
 *
 * With the ground truth (what a log holds, in order) the answer is exact and takes one pass. Without
 * it, an order is looked for (order-search.ts) and then judged like a ground truth; "unknown" only
 * when a limit is hit. Serializable reads and watches are judged by src/verify/watch-rules.
 *
 * Without a ground, what leaves no trace in a revision is judged one operation at a time: whether a
 * lease without keys had ended, whether an unanswered compaction had happened.
 */
import type { History } from "../../history/types.js";
import { judgeByGround } from "./ground-check.js";
import { findOrder, type OrderLimits } from "./order-search.js";
import type { Replay } from "./replay.js";
import { type EtcdVerdict, failed } from "./verdict.js";

export interface EtcdCheckOptions extends OrderLimits {
  /** What the store took, in order; nothing else may have changed it. */
  readonly ground?: Replay;
  /**
   * "timed" (the default): a lease may end by itself only when its time is over on the history's
   * clock. "any": somebody else judges that.
   */
  readonly expiry?: "timed" | "any";
  /** Changes in the ground that no operation asked for are allowed (other clients were there). */
  readonly isShared?: boolean;
}

export function checkEtcdHistory(history: History, options: EtcdCheckOptions = {}): EtcdVerdict {
  const { operations } = history;
  const expiry = options.expiry ?? "timed";
  const isShared = options.isShared ?? false;
  if (options.ground !== undefined) {
    return judgeByGround(operations, { ground: options.ground, expiry, isShared, isExact: true });
  }
  const found = findOrder(history, { ...options, expiry });
  if (found.failure !== undefined) return failed(found.failure, found.placed);
  return judgeByGround(operations, {
    ground: found.order,
    expiry,
    isShared: false,
    isExact: false,
  });
}
