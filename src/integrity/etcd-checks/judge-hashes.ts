/**
 * What etcd's three checks conclude from the hashes that the members told (etcd's
 * server/etcdserver/corrupt.go as facts): only hashes of one revision and one compact revision can be
 * compared; who did not answer is not blamed. Who is wrong is decided as in etcd 3.6: by the hash that
 * a majority of all members has, and by nobody (member 0: the whole cluster) without one.
 */
import { KvError } from "../../base/errors.js";
import type { MemberHash, Told } from "./member-hash.js";

/** Stands for the whole cluster in an alarm. */
export const everybody = 0n;

/** Those whose hash differs from ours at the same revision and compact revision. */
export function differing(own: MemberHash, told: readonly Told[]): readonly bigint[] {
  return told
    .filter(({ hash }) => isComparable(own, hash) && hash.hash !== own.hash)
    .map(({ id }) => id);
}

/** Members with an answer that can be compared with ours. */
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
 * Whom an alarm is about when some hashes of one revision differ. `all`: the comparable answers, ours
 * included; `size`: of the cluster, with those that did not answer and learners.
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
  /** Ours before the others were asked, and after a linearizable read behind that. */
  readonly before: MemberHash;
  readonly after: MemberHash;
  readonly told: readonly Told[];
}

/** The periodic check; empty: nothing is wrong as far as can be told. */
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
    // They answered before our second look: they cannot be ahead of it.
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

/** One compaction's hash at all members: what follows for the check. */
export type CompactionVerdict =
  | { readonly kind: "equal" }
  /** Nobody differs, and not all can be compared: an older compaction may tell more. */
  | { readonly kind: "incomplete" }
  | { readonly kind: "corrupt"; readonly suspects: readonly bigint[] };

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
