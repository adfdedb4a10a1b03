/**
 * A plan is everything that one run depends on, as plain data: the log, the switches and the order
 * in which the actors moved. It holds no random state. So it replays after any change of the
 * drawing code, and the shrinker can take parts away and see whether the failure stays.
 */
import type { StudyEntry } from "./log-entry.js";

/** etcd's three designs of 3.4 to 3.6, and Lockstep's. */
export type DesignName = "oldest" | "enhanced" | "final" | "lockstep";
export const designNames: readonly DesignName[] = ["oldest", "enhanced", "final", "lockstep"];

/** Who makes steps in a member. */
export type ActorName = "apply" | "ticker" | "worker" | "backup" | "defrag";
export const actorNames: readonly ActorName[] = ["apply", "ticker", "worker", "backup", "defrag"];

/**
 * One decision of the scheduler: which actor makes its next step, or that the process dies here.
 */
export type Choice = ActorName | "crash";

/** Weak points that a release had or has; the plain workload has none of them. */
export interface Hazards {
  /** True if entries occur that write in two sections (a checkpoint of two leases). */
  readonly twoSections: boolean;
  /** Defragmentation commits without the hook, as 3.5.0 to 3.5.5 did (#14685). */
  readonly defragSkipsHook: boolean;
  /** A refused entry does not move the index, as in 3.5.3 (#13937). */
  readonly rejectedKeepsIndex: boolean;
  /** The configuration is written by the hook and not with its entry. */
  readonly confStateByHook: boolean;
}

/** The plain workload, in which no design has another weak point than its own. */
export const noHazards: Hazards = {
  twoSections: false,
  defragSkipsHook: false,
  rejectedKeepsIndex: false,
  confStateByHook: false,
};

export interface StudyPlan {
  readonly format: 1;
  readonly design: DesignName;
  readonly hazards: Hazards;
  /** Entry i stands at place i - 1: the first index is 1. */
  readonly log: readonly StudyEntry[];
  /** Changed rows in the open transaction at which the writer commits it itself. */
  readonly batchLimit: number;
  /** After so many entries the log is cut by a snapshot. */
  readonly snapshotEvery: number;
  readonly choices: readonly Choice[];
}

/** A limit that no run of the model reaches. */
export const never = 1_000_000;
