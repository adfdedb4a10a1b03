/**
 * A follower answers its leader and forwards requests that only a leader can serve (Raft paper,
 * section 5.3; snapshots: section 7).
 */
import { restoreConfig } from "./confchange/changer.js";
import { isMember } from "./confchange/consistency.js";
import { committedPoint, hearContradiction, hearLeaderEnd } from "./contradiction.js";
import { standForElection } from "./election.js";
import type { RaftState } from "./state.js";
import { type Message, ProposalDropped, type SnapshotMeta } from "./types.js";

/** @throws ProposalDropped on MsgProp without a leader */
export function stepFollower(state: RaftState, message: Message): void {
  switch (message.type) {
    case "MsgProp":
      if (state.leader === 0n) throw new ProposalDropped("noLeader");
      state.send({
        type: "MsgProp",
        to: state.leader,
        from: message.from || state.id,
        entries: message.entries,
      });
      return;
    case "MsgApp":
    case "MsgHeartbeat":
    case "MsgSnap":
      state.electionElapsed = 0;
      state.leader = message.from;
      stepFromLeader(state, message);
      return;
    case "MsgTransferLeader":
      if (state.leader === 0n) return;
      state.send({ type: "MsgTransferLeader", to: state.leader, from: message.from });
      return;
    case "MsgForgetLeader":
      // With lease reads this could help to elect a leader while the old one still answers.
      if (state.variants.leaseReads !== true) state.leader = 0n;
      return;
    case "MsgTimeoutNow":
      standForElection(state, "transfer");
      return;
    case "MsgReadIndex":
      if (state.leader === 0n) return;
      state.send({
        type: "MsgReadIndex",
        to: state.leader,
        from: message.from || state.id,
        context: message.context,
      });
      return;
    case "MsgReadIndexResp":
      hearLeaderEnd(state, { index: message.rejectHint, term: message.logTerm });
      state.readStates.push({ id: message.context, index: message.index });
      return;
    default:
      return;
  }
}

/** Handles messages that only the leader of this term sends. */
export function stepFromLeader(state: RaftState, message: Message): void {
  if (message.type === "MsgHeartbeat") {
    answerHeartbeat(state, message);
    return;
  }
  // This log belongs to another history. The member keeps it, but must not add to it.
  if (state.isContradicted) return;
  if (message.type === "MsgApp") answerAppend(state, message);
  else if (message.snapshot !== undefined) {
    if (!restore(state, message.snapshot)) sayCommitted(state, message.from);
    else state.send({ type: "MsgAppResp", to: message.from, index: state.log.lastIndex() });
  }
}

function answerHeartbeat(state: RaftState, message: Message): void {
  const { from: to, context } = message;
  if (message.reject) hearContradiction(state, message);
  const lastIndex = state.log.lastIndex();
  // The leader sends only what this member once acknowledged. So this member's disk has lost
  // entries since.
  const reject = message.commit > lastIndex;
  if (!state.isContradicted && !reject) state.log.commitTo(message.commit);
  hearLeaderEnd(state, { index: message.index, term: message.logTerm });
  const { index, term: logTerm } = committedPoint(state);
  const lost = reject ? { reject, rejectHint: lastIndex } : {};
  state.send({ type: "MsgHeartbeatResp", to, context, index, logTerm, ...lost });
}

/**
 * Tells the leader from where it can send. The leader also checks that it has the same entry there.
 */
function sayCommitted(state: RaftState, to: bigint): void {
  const { index, term: logTerm } = committedPoint(state);
  state.send({ type: "MsgAppResp", to, index, logTerm });
}

function answerAppend(state: RaftState, message: Message): void {
  const { log } = state;
  const to = message.from;
  if (message.index < log.committed) {
    sayCommitted(state, to);
    return;
  }
  const previous = { index: message.index, term: message.logTerm };
  const index = log.appendAfter(previous, message.entries);
  if (index !== undefined) {
    log.commitTo(Math.min(message.commit, index));
    state.send({ type: "MsgAppResp", to, index });
    return;
  }
  // Skips indexes that cannot agree: those with a higher term than the one the leader asked about.
  const from = Math.min(message.index, log.lastIndex());
  const hint = log.findConflictByTerm(from, message.logTerm);
  const { index: rejectHint, term: logTerm } = hint;
  state.send({ type: "MsgAppResp", to, index: message.index, reject: true, rejectHint, logTerm });
}

/**
 * Replaces the log by the snapshot. Returns false if the log needs no snapshot, or this member is
 * not in its configuration.
 */
function restore(state: RaftState, snapshot: SnapshotMeta): boolean {
  const { log, tracker } = state;
  const { index, term, confState } = snapshot;
  if (index <= log.committed || !isMember(confState, state.id)) return false;
  if (log.matches(index, term)) {
    // The log already has all of it; only the commit index is new.
    log.commitTo(index);
    return false;
  }
  log.restore(snapshot);
  const context = { lastIndex: log.lastIndex(), limits: tracker.limits };
  const { config, peers } = restoreConfig(confState, context);
  tracker.switchTo(config, peers);
  return true;
}
