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
import type { WatchTruth } from "../watch-rules/seen-watch.js";
import { type StateTruth, validateSerializable } from "../watch-rules/serializable.js";
import { validateWatches, validateWatchesAlone } from "../watch-rules/validate-watches.js";
import { checkAndOrder, checkEtcdHistory } from "./etcd/check.js";
import { findOrder } from "./etcd/order-search.js";
import type { Replay } from "./etcd/replay.js";
import { SeenCompactions } from "./etcd/seen-compactions.js";
import { hasLocalReads, hasSightings, withSightings } from "./seen-by-others.js";

export interface JudgeOptions {
  readonly stepsMax?: number;
  readonly isTimeUp?: () => boolean;
  /**
   * The cluster compacts by itself, or clients do that the history does not know. By default an answer
   * that a revision was compacted is wrong if no compaction of the history explains it.
   */
  readonly othersCompact?: boolean;
}

export interface Judgement {
  readonly verdict: "linearizable" | "not" | "unknown";
  /** The error in words, or why the result is "unknown"; empty: linearizable. */
  readonly texts: readonly string[];
  /** Operations that contradict each other; first the one that cannot be placed. */
  readonly operationIds: readonly number[];
}

type CheckOptions = JudgeOptions & { readonly expiry: typeof expiry };

const expiry = "any";
const textsMax = 8;

export function judgeHistory(history: History, judgeOptions: JudgeOptions): Judgement {
  const options = { ...judgeOptions, expiry } as const;
  if (!hasSightings(history)) return judgeOperations(history, options);
  const alone = validateWatchesAlone(history.watches);
  if (alone.length > 0) {
    const judged = judgeOperations(history, options);
    return judged.verdict === "not"
      ? judged
      : { verdict: "not", texts: limited(alone.map(textOf)), operationIds: [] };
  }
  // Watches and local reads come first: what they showed leaves few places for operations without an answer.
  const explained = withSightings(history);
  const believing = { ...options, areWatchesBelieved: true };
  const { verdict: seen, order } = checkAndOrder(explained, believing);
  if (seen.verdict === "linearizable" && order !== undefined) {
    return judgeSightings(history, order, options);
  }
  // Either the operations have no order at all, or what watches and local reads showed fits to none.
  const judged = judgeOperations(history, options);
  if (judged.verdict === "not") return judged;
  if (seen.verdict === "unknown") {
    if (judged.verdict === "unknown") return judged;
    const text = `the operations are linearizable; of watches and serializable reads: ${seen.text}`;
    return { verdict: "unknown", texts: [text], operationIds: [] };
  }
  const text = "No order of the operations explains what watches and serializable reads showed.";
  const isKnown = judged.verdict === "linearizable";
  const broken = isKnown
    ? brokenRules(history, findOrder(history, options).order, options)
    : [seen.text];
  return { verdict: "not", texts: [text, ...limited(broken)], operationIds: [] };
}

function judgeOperations(history: History, options: CheckOptions): Judgement {
  const { verdict, text, operationIds } = checkEtcdHistory(history, options);
  return verdict === "linearizable"
    ? { verdict, texts: [], operationIds: [] }
    : { verdict, texts: [text], operationIds };
}

/** @param order explains all operations, and the sightings as far as reads can express them */
function judgeSightings(history: History, order: Replay, options: JudgeOptions): Judgement {
  const texts = brokenRules(history, order, options);
  if (texts.length === 0) return { verdict: "linearizable", texts, operationIds: [] };
  if (isOnlyOrder(history.operations, order, hasLocalReads(history))) {
    return { verdict: "not", texts: limited(texts), operationIds: [] };
  }
  const why =
    "the operations are linearizable; watches or serializable reads contradict the order that was " +
    "found, but operations without an answer, or leases that ended, leave others possible";
  return { verdict: "unknown", texts: [why, ...limited(texts)], operationIds: [] };
}

function brokenRules(
  { watches, operations }: History,
  order: Replay,
  { othersCompact = false }: JudgeOptions,
): readonly string[] {
  const ofOthers = othersCompact ? new SeenCompactions({ operations, watches }).revision : 0;
  const own = unansweredCompactions(operations, order);
  const compactRevision = Math.max(order.compactRevision, ofOthers, ...own);
  const watched: WatchTruth = {
    ...{ revision: order.revision, compactRevision, othersCompact },
    eventsAt: (revision) => order.eventsAt(revision),
  };
  const local: StateTruth = {
    ...{ revision: order.revision, compactRevision },
    at: (revision) => order.at(revision),
    firstPosition: (revision) => order.firstPosition(revision),
    compactRevisionAt: (position) => order.compactRevisionAt(position),
  };
  return [...validateWatches(watches, watched), ...validateSerializable(operations, local)].map(
    textOf,
  );
}

function textOf({ rule, text }: { readonly rule: string; readonly text: string }): string {
  return `${rule}: ${text}`;
}

/** Compactions that may have happened, and that leave no trace in an order. */
function unansweredCompactions(operations: readonly Operation[], order: Replay): readonly number[] {
  return operations.flatMap(({ request, outcome }) => {
    const isPossible =
      request.kind === "compact" &&
      outcome.kind === "unknown" &&
      request.revision <= order.revision;
    return isPossible ? [request.revision] : [];
  });
}

function limited(texts: readonly string[]): readonly string[] {
  const more = texts.length - textsMax;
  return more <= 0 ? texts : [...texts.slice(0, textsMax), `and ${more} more of the kind`];
}

/**
 * Whether every operation that changed the store got an answer, so that its revision gives its
 * place. The rules of watches take a compaction without an answer for one that may have happened
 * (`unansweredCompactions`), in any order; the rule of serializable reads asks when it did.
 */
function isOnlyOrder(
  operations: readonly Operation[],
  order: Replay,
  doCompactionsCount: boolean,
): boolean {
  const isHarmless = ({ kind }: Operation["request"]): boolean =>
    kind === "range" || kind === "other" || (kind === "compact" && !doCompactionsCount);
  const isLost = ({ request, outcome }: Operation) =>
    outcome.kind === "unknown" && !isHarmless(request);
  if (operations.some(isLost)) return false;
  const revoked = operations.filter(
    ({ request, outcome }) => request.kind === "leaseRevoke" && outcome.kind === "ok",
  ).length;
  return order.entries.filter(({ request }) => request.kind === "leaseRevoke").length === revoked;
}
