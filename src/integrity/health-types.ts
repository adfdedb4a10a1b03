/** The states, events and effects of health.ts. Its header shows how they belong together. */

import type { Fingerprint } from "../state/fingerprint.js";
import type { FoundDifference } from "./comparison.js";
import type { HealRequest } from "./heal-request.js";
import type { Quarantine } from "./quarantine-file.js";

/** Why this member's state is wrong, as the note on the disk will say. */
export type Cause = Omit<Quarantine, "failures">;

/**
 * A difference to investigate. Only `mine` is set if this member began to lead while its state was
 * in doubt.
 */
export type Suspicion = Pick<FoundDifference, "mine"> & Partial<FoundDifference>;

export interface Counts {
  /** The applied index at which the last quarantine ended; 0: none has ended since the start. */
  readonly clearedAt: number;
  /** How often this member's state was found to be wrong since the start. */
  readonly found: number;
  /** How often this member healed since the start. */
  readonly healed: number;
}

interface InQuarantine {
  /** As it is on the disk. */
  readonly note: Quarantine;
  readonly isDiverged: boolean;
  /** Milliseconds of the clock from which the leader is asked for something. */
  readonly nextRequestMs: number;
}

/** This member's state is not known to be wrong, and it answers clients. */
export type Serving = Counts & { readonly kind: "serving" };
/** A difference is being investigated: reads wait for the result. */
export type Suspected = Counts & { readonly kind: "suspected" };
/** This member has committed entries that the leader's log lacks. It answers nothing. */
export type Diverged = Counts & { readonly kind: "diverged" };
/** This member's state is wrong. It answers no client and fetches a right state. */
export type Quarantined = Counts & InQuarantine & { readonly kind: "quarantined" };
/** This member has a right state again. It answers nobody before the others confirm that. */
export type Verifying = Counts &
  InQuarantine & {
    readonly kind: "verifying";
    /**
     * Different indexes at which this member's state was equal to the leader's, in the order of the
     * comparisons.
     */
    readonly equalAt: readonly number[];
  };
/** All that is known about this member's own state: exactly one of these. */
export type Health = Serving | Suspected | Quarantined | Verifying | Diverged;
export type HealthKind = Health["kind"];

/**
 * What can happen to a member's health. Indexes are log indexes; times are milliseconds of the
 * clock.
 */
export type HealthEvent =
  /**
   * This member follows, and the leader's state differs. `cause` counts if this member's state was
   * replaced already.
   */
  | {
      readonly kind: "differsFromLeader";
      readonly found: FoundDifference;
      readonly cause: Cause;
    }
  /** This member leads, another member's state differs, and no verdict about it is known yet. */
  | { readonly kind: "followerDiffers"; readonly found: FoundDifference }
  | { readonly kind: "equalToLeader"; readonly index: number }
  /** The same, while an inquiry runs that this member began when it led before. */
  | { readonly kind: "equalWhileInquiring"; readonly index: number }
  /** This member begins to lead. `mine` is its newest fingerprint. */
  | { readonly kind: "elected"; readonly mine: Fingerprint }
  /** This member's inquiry could not decide which state is wrong. */
  | { readonly kind: "undecided" }
  /** This member's state is known to be right. */
  | { readonly kind: "settled" }
  /** This member's state is wrong. This member, its inquiry or the leader found it. */
  | { readonly kind: "wrong"; readonly cause: Cause }
  /**
   * The log holds the verdict that this member's state is wrong. The verdict may be older than the
   * repair.
   */
  | { readonly kind: "contained"; readonly cause: Cause }
  /** The state that the healer fetched is in use. */
  | { readonly kind: "adopted"; readonly index: number }
  /** A snapshot of the leader replaced this member's state. */
  | { readonly kind: "replaced"; readonly index: number }
  /** The same, and the snapshot holds the verdict that this member's state is wrong. */
  | { readonly kind: "replacedWithVerdict"; readonly index: number; readonly cause: Cause }
  /** The log says that this member's state is right again. */
  | { readonly kind: "cleared"; readonly index: number }
  | { readonly kind: "diverged" }
  /** There is a leader. This event comes often. */
  | {
      readonly kind: "tick";
      readonly nowMs: number;
      readonly electionMs: number;
      readonly isLeader: boolean;
    };

/** What must be done after an event. health-effects.ts carries the effects out, in their order. */
export type HealthEffect =
  /** Asks all members for their fingerprint at that index. Only a leader does. */
  | { readonly kind: "investigate"; readonly found: Suspicion }
  /** For people: a log line and a step of the incident. */
  | { readonly kind: "noteDifference"; readonly found: FoundDifference }
  | { readonly kind: "answerReads" }
  | { readonly kind: "refuseReads" }
  | { readonly kind: "logQuarantine"; readonly note: Quarantine }
  /**
   * The note is durable before the next effect. If the disk refuses, the member stops and no
   * further effect follows.
   */
  | { readonly kind: "writeNote"; readonly note: Quarantine }
  | { readonly kind: "removeNote" }
  /** Replaces this member's state by a stand-in without keys. */
  | { readonly kind: "standIn" }
  /**
   * The fingerprints of the old state say nothing any more. Members that wait for one are refused.
   */
  | { readonly kind: "forgetFingerprints" }
  | { readonly kind: "forbidLeading" }
  /** The same, and gives up the leadership if this member leads. */
  | { readonly kind: "stopLeading" }
  | { readonly kind: "handOver" }
  /** Begins to fetch a right state. Waits first if attempts failed before. */
  | { readonly kind: "heal"; readonly failures: number }
  /** The healer has finished. Also told to people. */
  | { readonly kind: "noteAdoption"; readonly index: number }
  /** For people. `backend` is the wrong backend that was kept aside. */
  | { readonly kind: "noteHealed"; readonly backend: string }
  /** May lead again. */
  | { readonly kind: "serveAgain" }
  | { readonly kind: "askLeader"; readonly request: HealRequest; readonly index: number }
  /** Ends all waiting requests and all watches. */
  | { readonly kind: "letGo" }
  /** Wakes the parts that wait for a change of this member's health. */
  | { readonly kind: "changed" };
