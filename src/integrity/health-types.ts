/** The states, events and effects of health.ts, whose header shows how they belong together. */

import type { Fingerprint } from "../state/fingerprint.js";
import type { FoundDifference } from "./comparison.js";
import type { HealRequest } from "./heal-request.js";
import type { Quarantine } from "./quarantine-file.js";

/** Why our state is wrong, as the note on the disk will say. */
export type Cause = Omit<Quarantine, "failures">;

/** A difference to look into; only `mine` if we began to lead while ours was in doubt. */
export type Suspicion = Pick<FoundDifference, "mine"> & Partial<FoundDifference>;

export interface Counts {
  /** The applied index at which the last quarantine ended; 0: none ended since the start. */
  readonly clearedAt: number;
  /** How often our state was found to be wrong since the start. */
  readonly found: number;
  /** How often it was healed since the start. */
  readonly healed: number;
}

interface InQuarantine {
  /** As it is on the disk. */
  readonly note: Quarantine;
  readonly isDiverged: boolean;
  /** The leader is asked for something from this time on, in the clock's milliseconds. */
  readonly nextRequestMs: number;
}

export type Serving = Counts & { readonly kind: "serving" };
export type Suspected = Counts & { readonly kind: "suspected" };
export type Diverged = Counts & { readonly kind: "diverged" };
export type Quarantined = Counts & InQuarantine & { readonly kind: "quarantined" };
export type Verifying = Counts &
  InQuarantine & {
    readonly kind: "verifying";
    /** Different indexes at which our state was equal to the leader's, as they were seen. */
    readonly equalAt: readonly number[];
  };
export type Health = Serving | Suspected | Quarantined | Verifying | Diverged;
export type HealthKind = Health["kind"];

export type HealthEvent =
  /** We follow, and the leader's state is another one. `cause` counts if ours was replaced already. */
  | {
      readonly kind: "differsFromLeader";
      readonly found: FoundDifference;
      readonly cause: Cause;
    }
  /** We lead, and a member's state is another one; no verdict about it is known yet. */
  | { readonly kind: "followerDiffers"; readonly found: FoundDifference }
  | { readonly kind: "equalToLeader"; readonly index: number }
  /** The same while our own inquiry, of a time when we led, has not ended. */
  | { readonly kind: "equalWhileInquiring"; readonly index: number }
  /** We lead from now on. `mine` is our newest fingerprint. */
  | { readonly kind: "elected"; readonly mine: Fingerprint }
  /** Our inquiry could not tell who is wrong. */
  | { readonly kind: "undecided" }
  /** It is known that our state is right. */
  | { readonly kind: "settled" }
  /** Our state is wrong: found here, or by our inquiry, or told by the leader. */
  | { readonly kind: "wrong"; readonly cause: Cause }
  /** The log holds the verdict that our state is wrong. It may be older than our repair. */
  | { readonly kind: "contained"; readonly cause: Cause }
  /** What the healer fetched is in use. */
  | { readonly kind: "adopted"; readonly index: number }
  /** A snapshot of the leader took the place of our state. */
  | { readonly kind: "replaced"; readonly index: number }
  /** The same, and the snapshot holds the verdict that our state is wrong. */
  | { readonly kind: "replacedWithVerdict"; readonly index: number; readonly cause: Cause }
  /** The log says that we are right again. */
  | { readonly kind: "cleared"; readonly index: number }
  | { readonly kind: "diverged" }
  /** There is a leader; sent often. */
  | {
      readonly kind: "tick";
      readonly nowMs: number;
      readonly electionMs: number;
      readonly isLeader: boolean;
    };

export type HealthEffect =
  /** Asks all members what they have at that index; only a leader does. */
  | { readonly kind: "investigate"; readonly found: Suspicion }
  /** For people: log and incident. */
  | { readonly kind: "noteDifference"; readonly found: FoundDifference }
  | { readonly kind: "answerReads" }
  | { readonly kind: "refuseReads" }
  | { readonly kind: "logQuarantine"; readonly note: Quarantine }
  /** Durable before the next effect. If the disk refuses, the member stops and no effect follows. */
  | { readonly kind: "writeNote"; readonly note: Quarantine }
  | { readonly kind: "removeNote" }
  /** Puts a state without keys in the place of ours. */
  | { readonly kind: "standIn" }
  /** Those of our state say nothing any more; who waits for one is refused. */
  | { readonly kind: "forgetFingerprints" }
  | { readonly kind: "forbidLeading" }
  /** The same, and gives the leadership away if we have it. */
  | { readonly kind: "stopLeading" }
  | { readonly kind: "handOver" }
  /** Begins to fetch a right state; waits first if heals failed before. */
  | { readonly kind: "heal"; readonly failures: number }
  /** The healer has done its part; for people, too. */
  | { readonly kind: "noteAdoption"; readonly index: number }
  /** For people; `backend` is the wrong one that was kept aside. */
  | { readonly kind: "noteHealed"; readonly backend: string }
  /** May lead again. */
  | { readonly kind: "serveAgain" }
  | { readonly kind: "askLeader"; readonly request: HealRequest; readonly index: number }
  /** Ends everybody's waiting, and watches. */
  | { readonly kind: "letGo" }
  /** Whoever waits for a change of our state looks again. */
  | { readonly kind: "changed" };
