/** Who is right, from what members say of one index. Pure: the rule that everything else obeys. */
import { differenceOf, type Fingerprint } from "../state/fingerprint.js";

export interface AgreeingMajority {
  /** What more than half of all voters hold. */
  readonly right: Fingerprint;
  /** Ascending; may include learners. */
  readonly suspects: readonly bigint[];
}

/**
 * A strict majority of the voters, those that did not answer counted too, holds the same state; who
 * holds another one is wrong. Undefined: there is no such majority among these answers.
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
