/**
 * The part of a candidate, or of a preCandidate, which only asks whether it could win. It ends as
 * leader, or as follower of the leader of this term (Raft paper, section 5.2).
 */
import { campaign } from "./election.js";
import { stepFromLeader } from "./follower.js";
import { becomeLeader } from "./leader.js";
import { broadcastAppend } from "./replication.js";
import type { RaftState } from "./state.js";
import { becomeFollower } from "./transitions.js";
import { type Message, ProposalDropped } from "./types.js";

/** @throws ProposalDropped on MsgProp */
export function stepCandidate(state: RaftState, message: Message): void {
  switch (message.type) {
    case "MsgProp":
      throw new ProposalDropped("noLeader");
    case "MsgApp":
    case "MsgHeartbeat":
    case "MsgSnap":
      // The message has this term, so another candidate won it.
      becomeFollower(state, message.term, message.from);
      stepFromLeader(state, message);
      return;
    case "MsgPreVoteResp":
      // A late answer to the pre-vote is no vote.
      if (state.role === "preCandidate") countVote(state, message);
      return;
    case "MsgVoteResp":
      if (state.role === "candidate") countVote(state, message);
      return;
    default:
      return;
  }
}

function countVote(state: RaftState, message: Message): void {
  state.tracker.recordVote(message.from, !message.reject);
  const result = state.tracker.voteResult();
  if (result === "lost") {
    becomeFollower(state, state.term, 0n);
  } else if (result === "won" && state.role === "preCandidate") {
    campaign(state, "vote");
  } else if (result === "won") {
    becomeLeader(state);
    broadcastAppend(state);
  }
}
