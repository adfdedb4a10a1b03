/**
 * Decisions of two groups of voters that must both agree (Raft thesis, section 4.3). The groups may
 * overlap. With an empty second group this is the ordinary case of one majority.
 */
import { type Majority, majorityCommitted, majorityVote, type VoteResult } from "./majority.js";

export interface JointVoters {
  readonly incoming: Majority;
  readonly outgoing: Majority;
}

/** The highest index committed in both groups. */
export function jointCommitted(
  { incoming, outgoing }: JointVoters,
  acked: (id: bigint) => number | undefined,
): number {
  return Math.min(majorityCommitted(incoming, acked), majorityCommitted(outgoing, acked));
}

/**
 * The result of a vote in both groups: lost as soon as one group has lost, won only when both have
 * won.
 */
export function jointVote(
  { incoming, outgoing }: JointVoters,
  votes: ReadonlyMap<bigint, boolean>,
): VoteResult {
  const first = majorityVote(incoming, votes);
  const second = majorityVote(outgoing, votes);
  if (first === second) return first;
  return first === "lost" || second === "lost" ? "lost" : "pending";
}

/** All voters of both groups, ascending. */
export function jointIds({ incoming, outgoing }: JointVoters): bigint[] {
  if (outgoing.length === 0) return [...incoming];
  return [...new Set([...incoming, ...outgoing])].sort(compareIds);
}

/** Orders member ids. A bigint difference must not be narrowed to a number. */
export function compareIds(a: bigint, b: bigint): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
