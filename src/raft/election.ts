/**
 * Elections: when a member may stand, whom it asks, and to whom it grants its vote (Raft paper,
 * sections 5.2 and 5.4.1; thesis, sections 4.2.3 and 9.6 for leases and pre-votes).
 */
import type { RaftState } from "./state.js";
import { becomeCandidate, becomePreCandidate } from "./transitions.js";
import type { Message } from "./types.js";

export type CampaignKind = "preVote" | "vote" | "transfer";

/**
 * Message.context of a vote request that ignores leases, because the leader told its sender to take
 * over.
 */
const forcedByTransfer = 1;

/**
 * Counts one tick of a member that does not lead. The member stands for election when it has waited
 * long enough.
 */
export function tickElection(state: RaftState): void {
  state.electionElapsed++;
  if (!isPromotable(state) || state.electionElapsed < state.electionTimeout) return;
  state.electionElapsed = 0;
  standForElection(state, state.config.preVote ? "preVote" : "vote");
}

/**
 * Starts a campaign unless this member leads, has no vote, or does not know its configuration yet.
 */
export function standForElection(state: RaftState, kind: CampaignKind): void {
  if (state.role === "leader" || !isPromotable(state)) return;
  // A committed change that is not applied here may have changed which votes are needed.
  if (state.log.hasUnappliedConfChange()) return;
  campaign(state, kind);
}

/** Asks every voter, ascending by id. The member's own vote comes back when it is durable. */
export function campaign(state: RaftState, kind: CampaignKind): void {
  if (kind === "preVote") becomePreCandidate(state);
  else becomeCandidate(state);
  const isPreVote = kind === "preVote";
  const term = isPreVote ? state.term + 1 : state.term;
  const index = state.log.lastIndex();
  const logTerm = state.log.lastTerm();
  const context = kind === "transfer" ? forcedByTransfer : 0;
  for (const to of state.tracker.voterIds()) {
    if (to === state.id) {
      state.send({ type: isPreVote ? "MsgPreVoteResp" : "MsgVoteResp", to, term });
    } else {
      const type = isPreVote ? "MsgPreVote" : "MsgVote";
      state.send({ type, to, term, index, logTerm, context });
    }
  }
}

/**
 * True if a leader was heard within an election timeout: this member will not help to depose it.
 */
export function isHeldByLease(state: RaftState, request: Message): boolean {
  if (request.context === forcedByTransfer || !state.config.checkQuorum) return false;
  return state.leader !== 0n && state.electionElapsed < state.config.electionTicks;
}

/** Answers a vote request whose term is not below this member's. */
export function answerVote(state: RaftState, request: Message): void {
  const isPreVote = request.type === "MsgPreVote";
  const canVote =
    state.vote === request.from ||
    (state.vote === 0n && state.leader === 0n) ||
    (isPreVote && request.term > state.term);
  const type = isPreVote ? "MsgPreVoteResp" : "MsgVoteResp";
  // Learners vote, too: a promoted one may not have heard of its promotion, and its vote may be
  // needed. A vote confirms that the candidate has all entries committed here. A member of another
  // history cannot confirm that.
  const isOutside = state.isContradicted;
  if (isOutside || !canVote || !state.log.isUpToDate(request.logTerm, request.index)) {
    state.send({ type, to: request.from, term: state.term, reject: true });
    return;
  }
  // The answer has the request's term, not this member's: a pre-vote is for a term that no member
  // has entered yet.
  state.send({ type, to: request.from, term: request.term });
  if (isPreVote) return;
  state.electionElapsed = 0;
  state.vote = request.from;
}

/** True if this member is a voter, and no snapshot is about to replace its configuration. */
function isPromotable(state: RaftState): boolean {
  const own = state.tracker.peer(state.id);
  if (!state.mayLead || state.isContradicted) return false;
  return own !== undefined && !own.isLearner && state.log.unstable.snapshot === undefined;
}
