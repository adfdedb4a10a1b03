/**
 * Is this history of an etcd store linearizable? Revisions give the order: a write that returned a
 * revision has its place. The check searches only the places of operations without an answer.
 *
 * With the ground truth (the store's log, in order) the answer is exact and takes one pass. Without
 * it, the check looks for an order (order-search.ts) and then uses it like a ground truth. The
 * verdict is "unknown" only when the search reaches a limit. src/verify/watch-rules judges
 * serializable reads and watches.
 *
 * Without a ground truth, the check judges effects that leave no trace in a revision for one
 * operation at a time: whether a lease without keys had ended, whether an unanswered compaction had
 * happened.
 */
import type { History } from "../../history/types.js";
import { judgeByGround } from "./ground-check.js";
import { findOrder, type OrderLimits } from "./order-search.js";
import type { Replay } from "./replay.js";
import { SeenCompactions } from "./seen-compactions.js";
import { type EtcdVerdict, failed } from "./verdict.js";

export interface EtcdCheckOptions extends OrderLimits {
  /** The changes of the store, in order; no other change happened. */
  readonly ground?: Replay;
  /**
   * "timed" (the default): a lease may end by itself only when its time is over on the history's
   * clock. "any": it may end at any time; another check judges that.
   */
  readonly expiry?: "timed" | "any";
  /** Allow changes in the ground truth that no operation asked for (there were other clients). */
  readonly isShared?: boolean;
  /**
   * The cluster compacts by itself, or clients do that the history does not know. Then an answer that
   * a revision was compacted is believed, and binds the answers after it. By default it must be
   * explained by a compaction of the history.
   */
  readonly othersCompact?: boolean;
}

/**
 * Judges a history of calls of etcd. Searches for an order that explains all answers; where
 * `options.ground` tells the real order, compares with that.
 */
export function checkEtcdHistory(history: History, options: EtcdCheckOptions = {}): EtcdVerdict {
  return checkAndOrder(history, options).verdict;
}

/** As `checkEtcdHistory`, with the order that explains all answers, if one was found. */
export function checkAndOrder(
  history: History,
  options: EtcdCheckOptions = {},
): { readonly verdict: EtcdVerdict; readonly order?: Replay } {
  const { operations } = history;
  const expiry = options.expiry ?? "timed";
  const isShared = options.isShared ?? false;
  if (options.ground !== undefined) {
    const { ground } = options;
    const verdict = judgeByGround(operations, { ground, expiry, isShared, isExact: true });
    return { verdict, order: ground };
  }
  const compactions = options.othersCompact === true ? new SeenCompactions(history) : undefined;
  const gone = compactions?.contradiction();
  if (gone !== undefined) return { verdict: failed(gone, 0) };
  const found = findOrder(history, { ...options, expiry });
  if (found.failure !== undefined) return { verdict: failed(found.failure, found.placed) };
  const verdict = judgeByGround(operations, {
    ...{ ground: found.order, expiry, isShared: false, isExact: false },
    compactions,
  });
  return { verdict, order: found.order };
}
