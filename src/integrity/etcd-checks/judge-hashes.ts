/**
 * Decides what etcd's three checks conclude from the members' hashes (facts from etcd's
 * server/etcdserver/corrupt.go). Only hashes of one revision and one compact revision are
 * comparable. A member without an answer is not blamed. As in etcd 3.6, the hash of a majority of
 * all members is right. Without such a majority, the alarm names no member (member 0: the whole
 * cluster).
 */
import { KvError } from "../../base/errors.js";
import type { MemberHash, Told } from "./member-hash.js";

/** Stands for the whole cluster in an alarm. */
export const everybody = 0n;

/** The members whose hash differs from this member's at the same revision and compact revision. */
export function differing(own: MemberHash, told: readonly Told[]): readonly bigint[] {
  return told
    .filter(({ hash }) => isComparable(own, hash) && hash.hash !== own.hash)
    .map(({ id }) => id);
}

/** The members whose answer is comparable with this member's. */
export function compared(own: MemberHash, told: readonly Told[]): number {
  return told.filter(({ hash }) => isComparable(own, hash)).length;
}

function isComparable(own: MemberHash, hash: MemberHash | KvError): hash is MemberHash {
  return (
    !(hash instanceof KvError) &&
    hash.hashRevision === own.hashRevision &&
    hash.compactRevision === own.compactRevision
  );
}

/**
 * The members that the alarm names when hashes of one revision differ. `all`: the comparable
 * answers with this member's own. `size`: members of the cluster, with learners and with members
 * that did not answer.
 */
export function blamed(
  all: readonly { readonly id: bigint; readonly hash: MemberHash }[],
  size: number,
): readonly bigint[] {
  const counts = new Map<number, number>();
  for (const { hash } of all) counts.set(hash.hash, (counts.get(hash.hash) ?? 0) + 1);
  const right = [...counts].find(([, count]) => count * 2 > size)?.[0];
  if (right === undefined) return [everybody];
  return all.filter(({ hash }) => hash.hash !== right).map(({ id }) => id);
}

export interface PeriodicRound {
  readonly selfId: bigint;
  /** This member's hash before it asked the others, and after a linearizable read that followed. */
  readonly before: MemberHash;
  readonly after: MemberHash;
  readonly told: readonly Told[];
}

/** The periodic check. Empty: the answers show nothing wrong. */
export function judgePeriodic(round: PeriodicRound): readonly bigint[] {
  const { selfId, before, after, told } = round;
  const isOursStable =
    before.hashRevision !== after.hashRevision ||
    before.compactRevision !== after.compactRevision ||
    before.hash === after.hash;
  if (!isOursStable) return [selfId];
  const suspects = new Set<bigint>();
  for (const { id, hash } of told) {
    if (hash instanceof KvError) continue;
    // These members answered before this member's second look, so they cannot be ahead of it.
    const isAhead =
      hash.currentRevision > after.currentRevision || hash.compactRevision > after.compactRevision;
    if (isAhead) suspects.add(id);
  }
  if (differing(before, told).length > 0) {
    const answers = told.flatMap(({ id, hash }) =>
      isComparable(before, hash) ? [{ id, hash }] : [],
    );
    const all = [{ id: selfId, hash: before }, ...answers];
    for (const id of blamed(all, told.length + 1)) suspects.add(id);
  }
  return suspects.has(everybody) ? [everybody] : [...suspects];
}

/** What the hashes of one compaction at all members mean for the check. */
export type CompactionVerdict =
  | { readonly kind: "equal" }
  /** No hash differs, but not all are comparable. An older compaction may decide more. */
  | { readonly kind: "incomplete" }
  | { readonly kind: "corrupt"; readonly suspects: readonly bigint[] };

/**
 * The check at compaction: judges all members' hashes of one compact revision. `told` has every
 * other member.
 */
export function judgeCompaction(
  selfId: bigint,
  own: MemberHash,
  told: readonly Told[],
): CompactionVerdict {
  const answers = told.flatMap(({ id, hash }) => (isComparable(own, hash) ? [{ id, hash }] : []));
  if (differing(own, told).length > 0) {
    const suspects = blamed([{ id: selfId, hash: own }, ...answers], told.length + 1);
    return { kind: "corrupt", suspects };
  }
  return { kind: answers.length === told.length ? "equal" : "incomplete" };
}
