/**
 * One life of a modelled member, from a start to a crash: its disk, the variables that hold the
 * index in memory, and counters. An actor may touch only what is here.
 */
import { indexRow, type StudyEntry, type StudyRow } from "./log-entry.js";
import type { ActorName, StudyPlan } from "./plan.js";
import { type BoltStore, indexOf, type UnitStore } from "./store.js";

/** What the design costs, summed over lives. */
export interface Counters {
  entries: number;
  /** Sections between lock and unlock that the apply loop opened. */
  sections: number;
  /** Times that the row with the index was written. */
  indexWrites: number;
  commits: number;
}

export interface MemberModel<S extends BoltStore | UnitStore = BoltStore | UnitStore> {
  readonly plan: StudyPlan;
  readonly store: S;
  readonly counters: Counters;
  /** The index that the hook writes. */
  memoryIndex: number;
  /** In "final" only: the entry that is being applied and was not yet shown to the hook. */
  applyingIndex: number;
  /** A configuration that waits for the hook. */
  confState: StudyRow | undefined;
  applied: number;
  /** The log up to this index is gone; this is durable in the log's own files. */
  snapshotIndex: number;
}

/** A member of etcd's designs. */
export type BoltMember = MemberModel<BoltStore>;
/** A member of Lockstep's design. */
export type UnitMember = MemberModel<UnitStore>;

/** The entry at a log index, from 1 on. The plan must have it. */
export function entryAt(plan: StudyPlan, index: number): StudyEntry {
  return plan.log[index - 1] as StudyEntry;
}

/** A member that starts from what `store` holds. */
export function startModel<S extends BoltStore | UnitStore>(
  plan: StudyPlan,
  store: S,
  before: { readonly counters: Counters; readonly snapshotIndex: number },
): MemberModel<S> {
  const index = indexOf(store.rows);
  return {
    plan,
    store,
    counters: before.counters,
    memoryIndex: index,
    applyingIndex: index,
    confState: undefined,
    applied: index,
    snapshotIndex: before.snapshotIndex,
  };
}

/** Writes `index` into the open transaction; the caller holds the mutex. */
export function putIndex(member: BoltMember, holder: ActorName, index: number): void {
  if (indexOf(member.store.rows) === index) return;
  member.store.put(holder, [[indexRow, index]]);
  member.counters.indexWrites++;
}
