/**
 * The invariants of every configuration and of the progress kept beside it. A violation is a bug of
 * the change computation or a damaged snapshot, never a refused change.
 */
import { invariant } from "../../base/invariant.js";
import type { PeerProgress } from "../tracker/peer-progress.js";
import type { ConfState } from "../types.js";

/** Staged learners are outgoing voters, so they need no check of their own. */
export function isMember(config: ConfState, id: bigint): boolean {
  const { voters, learners, votersOutgoing } = config;
  return voters.includes(id) || learners.includes(id) || votersOutgoing.includes(id);
}

/** @throws InvariantViolation */
export function assertConsistent(config: ConfState, peers: readonly PeerProgress[]): void {
  const { voters, votersOutgoing, learners, learnersNext, autoLeave } = config;
  const learnerOf = new Map(peers.map((peer) => [peer.id, peer.isLearner]));
  const members = new Set([...voters, ...votersOutgoing, ...learners, ...learnersNext]);
  invariant(members.size === peers.length, "progress is kept for exactly the members");
  for (const id of members) invariant(learnerOf.has(id), "a member has progress", () => ({ id }));
  for (const id of learners) {
    const isVoter = voters.includes(id) || votersOutgoing.includes(id);
    invariant(!isVoter && learnerOf.get(id) === true, "a learner has no vote", () => ({ id }));
  }
  for (const id of learnersNext) {
    const isOutgoing = votersOutgoing.includes(id) && learnerOf.get(id) === false;
    invariant(isOutgoing, "a staged learner is an outgoing voter", () => ({ id }));
  }
  if (votersOutgoing.length === 0) {
    const isPlain = learnersNext.length === 0 && !autoLeave;
    invariant(isPlain, "only a joint configuration stages learners or leaves by itself");
  }
}
