/**
 * Which checks earn their place, and by what: for each, a mutant and a seed that it alone catches.
 * Without the check that seed passes, so the bug would go unseen there. test/cli/needed.test.ts
 * runs both sides, and fails when a check stands in neither of these lists.
 */
export interface NeededFor {
  readonly mutant: string;
  /** Tried first; other seeds are searched when the simulator has come to draw otherwise. */
  readonly seed: number;
}

export const needed: Readonly<Record<string, NeededFor>> = {
  I1: { mutant: "M10", seed: 46 },
  I2: { mutant: "M08", seed: 2 },
  I3: { mutant: "R3", seed: 7 },
  I8: { mutant: "M11", seed: 16 },
  I9: { mutant: "M22", seed: 7 },
  I10: { mutant: "M07", seed: 1 },
  I11: { mutant: "M25", seed: 19 },
  M3: { mutant: "M17", seed: 16 },
  M4: { mutant: "R2", seed: 32 },
  M6: { mutant: "M37", seed: 1 },
  S2: { mutant: "M49", seed: 1 },
  S3: { mutant: "M61", seed: 9 },
  S6: { mutant: "M46", seed: 27 },
  V: { mutant: "V5", seed: 3 },
  C1: { mutant: "M59", seed: 2 },
  C2: { mutant: "M48", seed: 3 },
  C3: { mutant: "M35", seed: 15 },
  C4: { mutant: "R4", seed: 1 },
  "C5-atomic": { mutant: "W4", seed: 5 },
  "C5-bookmarkable": { mutant: "M55", seed: 3 },
  "C5-filter": { mutant: "W1", seed: 3 },
  "C5-future": { mutant: "M57", seed: 8 },
  "C5-is-create": { mutant: "W3", seed: 1 },
  "C5-ordered": { mutant: "W5", seed: 3 },
  "C5-prev-kv": { mutant: "W2", seed: 1 },
  "C5-reliable": { mutant: "M54", seed: 3 },
  "C5-resumable": { mutant: "W7", seed: 1 },
  "C5-unique": { mutant: "M58", seed: 5 },
  C6: { mutant: "M50", seed: 6 },
  G2: { mutant: "G11", seed: 202 },
  G4: { mutant: "G08", seed: 272 },
  G5: { mutant: "G06", seed: 7 },
  G6: { mutant: "G12", seed: 1330 },
  G7: { mutant: "G13", seed: 2 },
  G8: { mutant: "L1", seed: 4 },
};

/**
 * Checks that no known mutant needs: what they see leads to something that another check sees later.
 * They are here because they name the bug where it is, not where it hurts.
 */
export const sooner: Readonly<Record<string, string>> = {
  G1: "who is contained without a cause heals for nothing, and the wrong one stays (G4, liveness)",
  G3: "a state that is cleared too early differs at the next entry (S6)",
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
  U1: "a hash of other rows is one of another state (S6); a hash that a job computes wrongly, no other check sees",
  U2: "no known bug answers an operator so; those that did, on real processes, are what it was made for",
  S5: "a revision that jumps is in the answers of clients (C1, C2)",
};
