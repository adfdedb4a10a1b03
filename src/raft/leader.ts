/**
 * The part of a leader: heartbeats, the check that a quorum still answers, leadership transfer
 * (Raft thesis, section 3.10), and the dispatch of messages from followers and clients.
 */
import { invariant } from "../base/invariant.js";
import { stepAppendResponse, stepHeartbeatResponse } from "./acknowledgement.js";
import { appendOwn, propose } from "./proposal.js";
import { stepReadIndex } from "./read-index.js";
import { broadcastHeartbeat, sendAppend } from "./replication.js";
import type { RaftState } from "./state.js";
import type { PeerProgress } from "./tracker/peer-progress.js";
import { becomeFollower, resetForTerm } from "./transitions.js";
import { EntryType, leaveJoint, type Message } from "./types.js";

/**
 * Begins the term with an empty entry. Only when that is committed, the leader knows which older
 * entries are committed.
 */
export function becomeLeader(state: RaftState): void {
  invariant(state.role === "candidate", "only a candidate becomes leader");
  resetForTerm(state, state.term);
  state.leader = state.id;
  state.role = "leader";
  const own = state.tracker.peer(state.id);
  invariant(own !== undefined, "a leader is a member of its configuration");
  own.becomeReplicate();
  own.recentActive = true;
  // The tail may hold a conf change. Waiting until it is applied is simpler than searching it.
  state.pendingConfIndex = state.log.lastIndex();
  appendOwn(state, [{ type: EntryType.normal, data: leaveJoint.context }]);
}

export function tickLeader(state: RaftState): void {
  state.heartbeatElapsed++;
  state.electionElapsed++;
  if (state.electionElapsed >= state.config.electionTicks) {
    state.electionElapsed = 0;
    if (state.config.checkQuorum) checkQuorum(state);
    if (state.role !== "leader") return;
    // The transfer took too long, so this leader goes on.
    state.leadTransferee = 0n;
  }
  if (state.heartbeatElapsed >= state.config.heartbeatTicks) {
    state.heartbeatElapsed = 0;
    broadcastHeartbeat(state);
  }
}

/** @throws ProposalDropped on MsgProp */
export function stepLeader(state: RaftState, message: Message): void {
  if (message.type === "MsgProp") {
    propose(state, message.entries);
    return;
  }
  if (message.type === "MsgReadIndex") {
    stepReadIndex(state, message);
    return;
  }
  const peer = state.tracker.peer(message.from);
  if (peer === undefined) return;
  switch (message.type) {
    case "MsgAppResp":
      stepAppendResponse(state, peer, message);
      return;
    case "MsgHeartbeatResp":
      stepHeartbeatResponse(state, peer, message);
      return;
    case "MsgTransferLeader":
      transferTo(state, peer);
      return;
    default:
      return;
  }
}

/** Steps down if no quorum was heard from since the last check. */
function checkQuorum(state: RaftState): void {
  if (!state.tracker.isQuorumActive()) becomeFollower(state, state.term, 0n);
  for (const peer of state.tracker.peers) {
    if (peer.id !== state.id) peer.recentActive = false;
  }
}

/**
 * Starts a transfer: takes no proposals from now on, and tells the member to stand for election as
 * soon as it has the whole log.
 */
function transferTo(state: RaftState, peer: PeerProgress): void {
  if (peer.isLearner || state.leadTransferee === peer.id) return;
  state.leadTransferee = 0n;
  if (peer.id === state.id) return;
  state.electionElapsed = 0;
  state.leadTransferee = peer.id;
  if (peer.match === state.log.lastIndex()) state.send({ type: "MsgTimeoutNow", to: peer.id });
  else sendAppend(state, peer, true);
}
