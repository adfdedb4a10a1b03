/**
 * Judges a client history of an etcd store by what clients saw alone: operations, then watches and
 * serializable reads. The store must have been empty at the beginning.
 *
 * Operations without an answer leave several orders possible. A watch or a serializable read that
 * contradicts every order is wrong. If it contradicts only the order that was found, the verdict is
 * "unknown". The check does not judge whether a lease ended too early: members' clocks decide that,
 * and a history does not contain them.
 */
import type { History, Operation } from "../history/types.js";
import { validateSerializable } from "../watch-rules/serializable.js";
import { validateWatches } from "../watch-rules/validate-watches.js";
import { checkEtcdHistory } from "./etcd/check.js";
import { findOrder } from "./etcd/order-search.js";
import type { Replay } from "./etcd/replay.js";
import { hasSightings, withSightings } from "./seen-by-others.js";

export interface JudgeLimits {
  readonly stepsMax?: number;
  readonly isTimeUp?: () => boolean;
}

export interface Judgement {
  readonly verdict: "linearizable" | "not" | "unknown";
  /** The error, or the reason for "unknown"; empty: linearizable. */
  readonly texts: readonly string[];
  /** Operations that contradict each other; first the one that cannot be placed. */
  readonly operationIds: readonly number[];
}

type JudgeOptions = JudgeLimits & { readonly expiry: typeof expiry };

const expiry = "any";
const textsMax = 8;

export function judgeHistory(history: History, limits: JudgeLimits): Judgement {
  const options = { ...limits, expiry } as const;
  const { verdict, text, operationIds } = checkEtcdHistory(history, options);
  if (verdict !== "linearizable") return { verdict, texts: [text], operationIds };
  if (!hasSightings(history)) return { verdict, texts: [], operationIds: [] };
  return judgeSightings(history, options);
}

/** @param history a linearizable one */
function judgeSightings(history: History, options: JudgeOptions): Judgement {
  const explained = withSightings(history);
  const seen = checkEtcdHistory(explained, options);
  if (seen.verdict === "unknown") {
    const text = `the operations are linearizable; of watches and serializable reads: ${seen.text}`;
    return { verdict: "unknown", texts: [text], operationIds: [] };
  }
  const isExplained = seen.verdict === "linearizable";
  const order = findOrder(isExplained ? explained : history, options).order;
  const texts = [
    ...validateWatches(history.watches, order),
    ...validateSerializable(history.operations, order),
  ].map(({ rule, text }) => `${rule}: ${text}`);
  if (!isExplained) {
    const text = "No order of the operations explains what watches and serializable reads showed.";
    return { verdict: "not", texts: [text, ...limited(texts)], operationIds: [] };
  }
  if (texts.length === 0) return { verdict: "linearizable", texts, operationIds: [] };
  if (isOnlyOrder(history.operations, order)) {
    return { verdict: "not", texts: limited(texts), operationIds: [] };
  }
  const why =
    "the operations are linearizable; watches or serializable reads contradict the order that was " +
    "found, but operations without an answer, or leases that ended, leave others possible";
  return { verdict: "unknown", texts: [why, ...limited(texts)], operationIds: [] };
}

function limited(texts: readonly string[]): readonly string[] {
  const more = texts.length - textsMax;
  return more <= 0 ? texts : [...texts.slice(0, textsMax), `and ${more} more of the kind`];
}

/**
 * Whether every operation that changed the store got an answer, so that its revision gives its
 * place.
 */
function isOnlyOrder(operations: readonly Operation[], order: Replay): boolean {
  const isLost = ({ request, outcome }: Operation) =>
    outcome.kind === "unknown" && request.kind !== "range" && request.kind !== "other";
  if (operations.some(isLost)) return false;
  const revoked = operations.filter(
    ({ request, outcome }) => request.kind === "leaseRevoke" && outcome.kind === "ok",
  ).length;
  return order.entries.filter(({ request }) => request.kind === "leaseRevoke").length === revoked;
}
