/** Who is right, from what members say of one index. Pure: the rule that everything else obeys. */
import { differenceOf, type Proof } from "../state/fingerprint.js";

export interface Verdict {
  /** What more than half of all voters hold. */
  readonly right: Proof;
  /** Ascending; may include learners. */
  readonly suspects: readonly bigint[];
}

/**
 * A strict majority of the voters, those that did not answer counted too, holds the same state; who
 * holds another one is wrong. Undefined: there is no such majority among these answers.
 */
export function judge(
  voters: readonly bigint[],
  evidence: ReadonlyMap<bigint, Proof>,
): Verdict | undefined {
  for (const voter of voters) {
    const candidate = evidence.get(voter);
    if (candidate === undefined) continue;
    const agreeing = voters.filter((id) => {
      const proof = evidence.get(id);
      return proof !== undefined && differenceOf(proof, candidate) === "none";
    });
    if (agreeing.length * 2 <= voters.length) continue;
    const suspects = [...evidence]
      .filter(([, proof]) => differenceOf(proof, candidate) !== "none")
      .map(([id]) => id)
      .sort((a, b) => (a < b ? -1 : 1));
    return { right: candidate, suspects };
  }
  return undefined;
}
