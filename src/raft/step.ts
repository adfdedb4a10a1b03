/**
 * Receives a message: its term decides first, then this member's role (Raft paper, figure 2, "Rules
 * for Servers"). A member never acts on a message of an older term, except to tell the sender.
 */
import { unreachable } from "../base/invariant.js";
import { stepCandidate } from "./candidate.js";
import { answerVote, isHeldByLease } from "./election.js";
import { stepFollower } from "./follower.js";
import { stepLeader } from "./leader.js";
import type { RaftState } from "./state.js";
import { becomeFollower } from "./transitions.js";
import type { Message } from "./types.js";

/** @throws ProposalDropped on MsgProp that cannot be taken */
export function stepMessage(state: RaftState, message: Message): void {
  // Requests forwarded by followers carry no term.
  if (message.term > state.term) {
    if (!enterTerm(state, message)) return;
  } else if (message.term !== 0 && message.term < state.term) {
    answerOldTerm(state, message);
    return;
  }
  if (message.type === "MsgVote" || message.type === "MsgPreVote") answerVote(state, message);
  else stepByRole(state, message);
}

export function stepByRole(state: RaftState, message: Message): void {
  switch (state.role) {
    case "follower":
      stepFollower(state, message);
      return;
    case "preCandidate":
    case "candidate":
      stepCandidate(state, message);
      return;
    case "leader":
      stepLeader(state, message);
      return;
    default:
      unreachable(state.role);
  }
}

/** Follows a higher term. Returns false if the message must be ignored. */
function enterTerm(state: RaftState, message: Message): boolean {
  const { type } = message;
  if ((type === "MsgVote" || type === "MsgPreVote") && isHeldByLease(state, message)) return false;
  // A pre-vote names a term that no member has entered. A granted one is for this member's next
  // term.
  if (type === "MsgPreVote" || (type === "MsgPreVoteResp" && !message.reject)) return true;
  const isFromLeader = type === "MsgApp" || type === "MsgHeartbeat" || type === "MsgSnap";
  becomeFollower(state, message.term, isFromLeader ? message.from : 0n);
  return true;
}

function answerOldTerm(state: RaftState, message: Message): void {
  const { type, from: to } = message;
  const { checkQuorum, preVote } = state.config;
  if ((type === "MsgHeartbeat" || type === "MsgApp") && (checkQuorum || preVote)) {
    // This answer is needed: with leases or pre-votes this member's higher term reaches that leader
    // in no other way, and both would ignore each other for ever.
    state.send({ type: "MsgAppResp", to });
  } else if (type === "MsgPreVote") {
    // Without this answer a candidate with a lower term and a longer log would ask in vain.
    state.send({ type: "MsgPreVoteResp", to, term: state.term, reject: true });
  }
}
