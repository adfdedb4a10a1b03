/**
 * ReadIndex at the leader (Raft thesis, section 6.4): the leader notes the commit index, makes sure
 * that it still leads, and answers. A new leader waits for the first commit of its term, because
 * before that it does not know what its predecessors committed.
 */
import { lastPoint } from "./contradiction.js";
import { broadcastHeartbeat } from "./replication.js";
import type { RaftState } from "./state.js";
import type { Message } from "./types.js";

export function stepReadIndex(state: RaftState, request: Message): void {
  // A lone voter waits, too: after a restart the commit index may lag behind entries that were
  // acknowledged before the crash.
  if (!hasCommittedInTerm(state)) state.readsBeforeCommit.push(request);
  else startRead(state, request);
}

/** Call when the commit index moved. */
export function releaseReadsBeforeCommit(state: RaftState): void {
  if (state.readsBeforeCommit.length === 0) return;
  const requests = state.readsBeforeCommit;
  state.readsBeforeCommit = [];
  for (const request of requests) startRead(state, request);
}

/** Call when a member has answered the heartbeat of this round. */
export function stepReadAcknowledged(state: RaftState, from: bigint, round: number): void {
  if (state.variants.leaseReads === true) return;
  state.reads.acknowledge(from, round);
  const confirmed = state.reads.takeConfirmed((acked) => state.tracker.quorumOf(acked));
  for (const { request, index } of confirmed) answer(state, request, index);
}

function startRead(state: RaftState, request: Message): void {
  const { committed } = state.log;
  if (state.variants.leaseReads === true || state.tracker.isSingleVoter()) {
    answer(state, request, committed);
    return;
  }
  state.reads.add(request, committed);
  state.reads.acknowledge(state.id, state.reads.newest());
  broadcastHeartbeat(state);
}

function answer(state: RaftState, request: Message, index: number): void {
  const { from, context } = request;
  if (from === 0n || from === state.id) state.readStates.push({ id: context, index });
  else {
    const { index: rejectHint, term: logTerm } = lastPoint(state);
    state.send({ type: "MsgReadIndexResp", to: from, index, context, rejectHint, logTerm });
  }
}

function hasCommittedInTerm(state: RaftState): boolean {
  return state.log.term(state.log.committed) === state.term;
}
