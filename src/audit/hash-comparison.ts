/**
 * Compares HashKV across members. Two hashes can be compared only if the hashed revision and the
 * compact revision are equal (a compaction between two answers, or an answer from a compaction's
 * cache, gives another compact revision) and both members hash by the same rule: etcd before 3.4.34
 * and 3.5.16 counts a tombstone that newer versions leave out.
 */
import { type Conflict, confirmed } from "./conflicts.js";
import type { HashAnswer, HashAsk, HashRefusal } from "./evidence.js";

export interface HashConflict extends Conflict {
  readonly revision: number;
  readonly compactRevision: number;
  readonly hash: number;
  readonly otherHash: number;
}

export interface HashComparison {
  /**
   * Conflicts that occurred in two rounds of questions: in one round a member may have been in the
   * middle of its work.
   */
  readonly conflicts: readonly HashConflict[];
  /** The last round of questions in which all members answered with one hash. */
  readonly agreed: HashAnswer | undefined;
  /** Why not all members could be compared. Undefined if they were, or if there is a conflict. */
  readonly obstacle: string | undefined;
}

export function isAnswer(outcome: HashAnswer | HashRefusal | undefined): outcome is HashAnswer {
  return outcome !== undefined && "hash" in outcome;
}

/** The hash rule of an etcd of this version. */
function hashRule(version: string | undefined): "tombstone" | "current" {
  const [major = 0, minor = 0, patch = 0] = (version ?? "").split(".").map(Number.parseFloat);
  if (major !== 3 || minor > 5) return "current";
  if (minor === 5) return patch < 16 ? "tombstone" : "current";
  if (minor === 4) return patch < 34 ? "tombstone" : "current";
  return "tombstone";
}

/** `versions` by endpoint, of all members to compare. */
export function compareHashes(
  asks: readonly HashAsk[],
  versions: ReadonlyMap<string, string>,
): HashComparison {
  const conflicts = confirmed(asks.map((ask) => conflictsOf(ask, versions)));
  const agreed = asks.map((ask) => agreementOf(ask, versions)).findLast((each) => each);
  const isTold = conflicts.length > 0 || agreed !== undefined;
  return { conflicts, agreed, obstacle: isTold ? undefined : obstacleOf(asks.at(-1), versions) };
}

function answersOf(ask: HashAsk): readonly (readonly [string, HashAnswer])[] {
  return [...ask.outcomes].flatMap(([endpoint, outcome]) =>
    isAnswer(outcome) ? [[endpoint, outcome] as const] : [],
  );
}

function conflictsOf(ask: HashAsk, versions: ReadonlyMap<string, string>): HashConflict[] {
  const answers = answersOf(ask);
  return answers.flatMap(([one, a], at) =>
    answers.slice(at + 1).flatMap(([other, b]) => {
      const isComparable =
        a.revision === b.revision &&
        a.compactRevision === b.compactRevision &&
        hashRule(versions.get(one)) === hashRule(versions.get(other));
      if (!isComparable || a.hash === b.hash) return [];
      const { revision, compactRevision, hash } = a;
      return [{ one, other, revision, compactRevision, hash, otherHash: b.hash }];
    }),
  );
}

/**
 * The answer on which all members agree. Equal hashes agree even if two members hash by different
 * rules.
 */
function agreementOf(ask: HashAsk, versions: ReadonlyMap<string, string>): HashAnswer | undefined {
  const answers = answersOf(ask);
  const first = answers[0]?.[1];
  if (first === undefined || answers.length < versions.size) return undefined;
  const isAgreed = answers.every(
    ([, { hash, revision, compactRevision }]) =>
      hash === first.hash &&
      revision === first.revision &&
      compactRevision === first.compactRevision,
  );
  return isAgreed ? first : undefined;
}

function obstacleOf(ask: HashAsk | undefined, versions: ReadonlyMap<string, string>): string {
  if (ask === undefined) return "nobody was asked for a hash";
  const refusals = [...ask.outcomes].flatMap(([endpoint, outcome]) =>
    isAnswer(outcome) ? [] : [`${endpoint}: ${refusalText(outcome, ask.revision)}`],
  );
  if (refusals.length > 0) return refusals.join("; ");
  const answers = answersOf(ask);
  if (new Set(answers.map(([, answer]) => answer.revision)).size > 1) {
    const list = answers.map(([endpoint, each]) => `${each.revision} at ${endpoint}`);
    return `HashKV is of different revisions, none of which all keep: ${list.join(", ")}`;
  }
  const rules = new Set([...versions.values()].map(hashRule));
  const compacted = new Set(answers.map(([, answer]) => answer.compactRevision));
  if (compacted.size > 1) {
    const list = answers.map(([endpoint, each]) => `${each.compactRevision} at ${endpoint}`);
    return (
      `HashKV at revision ${ask.revision} cannot be compared: the compact revision stays different, ` +
      `${list.join(", ")}${compacted.has(ask.revision) ? "; the next write will help" : ""}`
    );
  }
  if (rules.size > 1) {
    const list = [...versions].map(([endpoint, version]) => `${version} at ${endpoint}`);
    return `HashKV differs, but these versions hash tombstones differently: ${list.join(", ")}`;
  }
  return "HashKV differed once and was not confirmed";
}

function refusalText({ refused, text }: HashRefusal, revision: number): string {
  switch (refused) {
    case "compacted":
      return `revision ${revision}, the newest that all have, is compacted here already`;
    case "future":
      return `revision ${revision} is not here yet`;
    case "denied":
      return `HashKV is not allowed (${text}); it needs a user with the role root`;
    case "unsupported":
      return "HashKV is not supported";
    case "failed":
      return `HashKV failed: ${text}`;
  }
}
