/**
 * Reads that a member answers from its own state may be old, but never wrong. They show the key
 * space at the revision that they asked for or, without one, at the revision of their answer.
 */
import type { KeyValue, Operation } from "../history/types.js";
import { type KeyView, refusal, shownRange } from "../linearizability/etcd/effect.js";
import { isSameAnswer } from "../linearizability/etcd/same-answer.js";
import { describeOperation } from "../linearizability/etcd/verdict.js";

/** What really happened, by a replay of the log (linearizability/etcd/replay.ts). */
export interface StateTruth {
  readonly revision: number;
  readonly compactRevision: number;
  /** The keys at a revision, compacted or not. */
  at(revision: number): KeyView;
  /** The first position in the log that has this revision; undefined: none. */
  firstPosition(revision: number): number | undefined;
  compactRevisionAt(position: number): number;
}

/** One wrong answer, as a sentence. */
export interface SerializableFinding {
  readonly rule: "serializable";
  readonly invariant: "C4";
  readonly text: string;
}

/** Judges answers and refusals of serializable ranges; ignores other operations. */
export function validateSerializable(
  operations: readonly Operation[],
  truth: StateTruth,
): readonly SerializableFinding[] {
  const findings: SerializableFinding[] = [];
  for (const operation of operations) {
    const told = mistakeOf(operation, truth);
    if (told === undefined) continue;
    const text = `${describeOperation(operation)} ${told}`;
    findings.push({ rule: "serializable", invariant: "C4", text });
  }
  return findings;
}

function mistakeOf({ request, outcome }: Operation, truth: StateTruth): string | undefined {
  if (request.kind !== "range" || request.serializable !== true) return undefined;
  const asked = request.revision ?? 0;
  if (outcome.kind === "refused") {
    const isCompacted = outcome.error === refusal.compacted;
    // A lagging member may have reached only the first revision.
    if (!isCompacted || asked < truth.compactRevision) return undefined;
    return `is refused, but revision ${asked} was never compacted`;
  }
  if (outcome.kind !== "ok") return undefined;
  const { revision, answer } = outcome;
  const position = truth.firstPosition(revision);
  if (position === undefined) return "is of a revision that nobody has reached";
  if (asked > revision) return `shows revision ${asked}, which is later than its own`;
  if (asked > 0 && asked < truth.compactRevisionAt(position)) {
    return `shows revision ${asked}, which was compacted before its own`;
  }
  const shown = asked > 0 ? asked : revision;
  const right = shownRange(truth.at(shown), request);
  if (isSameAnswer(right, answer)) return undefined;
  const seen = answer.kind === "range" ? listText(answer.kvs, answer.count) : answer.kind;
  return `shows ${seen}; at revision ${shown} it was ${listText(right.kvs, right.count)}`;
}

function listText(kvs: readonly KeyValue[], count: number): string {
  const texts = kvs.slice(0, 8).map(({ key, value, mod, version, create, lease }) => {
    const held = lease === undefined ? "" : ` lease ${lease}`;
    return `${key} = ${value} (${create}/${mod}/${version}${held})`;
  });
  const rest = kvs.length > texts.length ? ", ..." : "";
  return `${count} keys [${texts.join(", ")}${rest}]`;
}
