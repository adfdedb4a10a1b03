/**
 * Changes of role and term, except to leader (leader.ts):
 *
 *   follower -> preCandidate -> candidate -> leader; any of them -> follower
 *
 * Invariants: the term never falls; the vote is cleared only together with a higher term, so that
 * no member votes twice in one term (Raft paper, section 5.2).
 */
import { invariant } from "../base/invariant.js";
import type { RaftState } from "./state.js";

export function becomeFollower(state: RaftState, term: number, leader: bigint): void {
  resetForTerm(state, term);
  state.leader = leader;
  state.role = "follower";
}

export function becomeCandidate(state: RaftState): void {
  invariant(state.role !== "leader", "a leader cannot become candidate");
  resetForTerm(state, state.term + 1);
  state.vote = state.id;
  state.role = "candidate";
}

/**
 * Begins a pre-vote: asks without raising the term, because a member that was cut off must not
 * disturb the others.
 */
export function becomePreCandidate(state: RaftState): void {
  invariant(state.role !== "leader", "a leader cannot become preCandidate");
  state.tracker.resetVotes();
  state.leader = 0n;
  state.role = "preCandidate";
}

/** Resets what every change of role resets. */
export function resetForTerm(state: RaftState, term: number): void {
  invariant(term >= state.term, "the term never falls", () => ({ term, was: state.term }));
  if (term !== state.term) {
    state.term = term;
    state.vote = 0n;
  }
  state.leader = 0n;
  state.isDoubtful = false;
  state.leadTransferee = 0n;
  state.electionElapsed = 0;
  state.heartbeatElapsed = 0;
  drawElectionTimeout(state);
  state.pendingConfIndex = 0;
  state.uncommittedBytes = 0;
  state.readsBeforeCommit = [];
  state.reads.reset();
  state.tracker.resetVotes();
  const lastIndex = state.log.lastIndex();
  for (const peer of state.tracker.peers) {
    peer.reset(lastIndex);
    if (peer.id === state.id) peer.match = lastIndex;
  }
}

function drawElectionTimeout(state: RaftState): void {
  const { electionTicks } = state.config;
  state.electionTimeout = electionTicks + state.rng.int(electionTicks);
}
