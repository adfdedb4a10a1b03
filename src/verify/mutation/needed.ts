/**
 * Shows which checks are needed: for each check a mutant that only this check catches in some seed
 * (known-seeds.ts). Without the check that seed passes, so nothing would find the bug there.
 * test/cli/needed.test.ts runs both sides. The code does not compile while a check is in neither of
 * these lists.
 */
import type { CheckedInvariant } from "../sim/invariants.js";

type Listed = Readonly<Partial<Record<CheckedInvariant, string>>>;

/** The mutant that shows it. */
const needed = {
  I2: "M08",
  I3: "R3",
  I8: "M11",
  I9: "M22",
  I10: "M07",
  I11: "M25",
  M3: "M17",
  M4: "R2",
  M6: "M37",
  S2: "M49",
  S3: "M61",
  A: "A3",
  K: "K1",
  V: "V5",
  C1: "M59",
  C2: "M48",
  C3: "M35",
  C4: "R4",
  "C5-atomic": "W4",
  "C5-bookmarkable": "M55",
  "C5-filter": "W1",
  "C5-future": "M57",
  "C5-is-create": "W3",
  "C5-ordered": "W5",
  "C5-prev-kv": "W2",
  "C5-reliable": "M54",
  "C5-resumable": "W7",
  "C5-unique": "M58",
  C6: "M50",
  G2: "G11",
  G4: "F14",
  G5: "G06",
  G6: "G12",
  G7: "G13",
  G8: "L1",
} as const satisfies Listed;

/**
 * Checks that no known mutant needs: another check also finds what they find, but later. They are
 * here because they name the place of the bug, not a later effect.
 */
const sooner = {
  I1: "two leaders of one term: M10 showed it alone until the draws changed; a new seed is wanted",
  S6: "states that differ at one index: M46 showed it alone until the draws changed; a new seed is wanted",
  U1: "a hash of other rows is one of another state (S6); a hash that a job computes wrongly, no other check sees",
  U2: "no known bug answers an operator so; those that did, on real processes, are what it was made for",
  G1: "who is contained without a cause heals for nothing, and the wrong one stays (G4, liveness)",
  G3: "a state that is cleared too early differs at the next entry (S6)",
  N: "a refusal for space that is no longer right looks to a client like one that still is",
  I4: "a leader's changed log becomes another entry under a known index and term (I5)",
  I5: "two entries of one index and term end as two commits at one index (I7)",
  I6: "a leader without a committed entry overwrites it at others (I7, I12)",
  I7: "two commits at one index are applied, and the states differ (S6)",
  I12: "a leader that believes too much of a follower counts too much (I9)",
  I13: "a stale configuration elects two leaders or commits without a quorum (I1, I9)",
  M1: "members that disagree about the configuration have different states (S6)",
  M2: "voters that change two at a time can have two quorums (I1, I9)",
  M5: "a cluster without voters elects nobody (liveness)",
  S1: "an entry applied twice or never gives another state (S6)",
  S5: "a revision that jumps is in the answers of clients (C1, C2)",
} as const satisfies Listed;

/** The compiler reports a check that is in neither list. */
const all: Readonly<Record<CheckedInvariant, string>> = { ...needed, ...sooner };

export interface NeededPair {
  readonly invariant: CheckedInvariant;
  /** The id of a mutant. */
  readonly mutant: string;
}

/** The table above as pairs of a check and the mutant that it alone catches. */
export const neededPairs: readonly NeededPair[] = Object.entries(needed).map(
  ([invariant, mutant]) => ({ invariant: invariant as CheckedInvariant, mutant }),
);

/** All checks: those that a mutant needs, and those that only find it sooner. */
export const checkedInvariants = Object.keys(all) as readonly CheckedInvariant[];
