/**
 * Decisions of one group of voters. Pure: the voters and their answers go in, the decision comes
 * out. A group without voters agrees with everything, so a joint configuration with an empty half
 * behaves like its other half.
 */

/** Member ids, ascending, without repetition. */
export type Majority = readonly bigint[];

export type VoteResult = "won" | "pending" | "lost";

/**
 * The highest index that more than half of the reports reach. Sorts `acked` in place.
 *
 * @param acked one number per voter; a silent voter counts as 0
 */
export function quorumIndex(acked: number[]): number {
  const count = acked.length;
  if (count === 0) return Number.POSITIVE_INFINITY;
  // An insertion sort: configurations are tiny, and this runs for every acknowledgement.
  for (let i = 1; i < count; i++) {
    const value = acked[i] as number;
    let at = i;
    while (at > 0 && (acked[at - 1] as number) > value) {
      acked[at] = acked[at - 1] as number;
      at--;
    }
    acked[at] = value;
  }
  return acked[count - (Math.floor(count / 2) + 1)] as number;
}

/** The highest index committed by this group; infinite for the empty group. */
export function majorityCommitted(
  voters: Majority,
  acked: (id: bigint) => number | undefined,
): number {
  return quorumIndex(voters.map((id) => acked(id) ?? 0));
}

/**
 * The result of a vote: won or lost as soon as the missing votes cannot change it; else pending.
 */
export function majorityVote(voters: Majority, votes: ReadonlyMap<bigint, boolean>): VoteResult {
  if (voters.length === 0) return "won";
  let granted = 0;
  let missing = 0;
  for (const id of voters) {
    const vote = votes.get(id);
    if (vote === undefined) missing++;
    else if (vote) granted++;
  }
  const needed = Math.floor(voters.length / 2) + 1;
  if (granted >= needed) return "won";
  return granted + missing >= needed ? "pending" : "lost";
}
