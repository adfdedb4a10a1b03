/** Decides from the fingerprints at one index which members are right. Pure. */
import { differenceOf, type Fingerprint } from "../state/fingerprint.js";

export interface AgreeingMajority {
  /** The fingerprint that more than half of all voters have. */
  readonly right: Fingerprint;
  /** Member ids, ascending. They may include learners. */
  readonly suspects: readonly bigint[];
}

/**
 * Finds a strict majority of the voters with the same state. Voters without an answer count as
 * voters, but agree with nobody. Every other member that answered is wrong. Undefined: these
 * answers hold no majority.
 */
export function judge(
  voters: readonly bigint[],
  evidence: ReadonlyMap<bigint, Fingerprint>,
): AgreeingMajority | undefined {
  for (const voter of voters) {
    const candidate = evidence.get(voter);
    if (candidate === undefined) continue;
    const agreeing = voters.filter((id) => {
      const fingerprint = evidence.get(id);
      return fingerprint !== undefined && differenceOf(fingerprint, candidate) === "none";
    });
    if (agreeing.length * 2 <= voters.length) continue;
    const suspects = [...evidence]
      .filter(([, fingerprint]) => differenceOf(fingerprint, candidate) !== "none")
      .map(([id]) => id)
      .sort((a, b) => (a < b ? -1 : 1));
    return { right: candidate, suspects };
  }
  return undefined;
}
