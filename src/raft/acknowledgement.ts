/**
 * Handles what a leader learns from the answers of its followers, and from its own disk, which
 * answers like a follower (Raft paper, section 5.3). The search for the point where two logs agree
 * follows etcd-io/raft: at most one probe per term.
 */
import { weighCommitted } from "./contradiction.js";
import { releaseReadsBeforeCommit, stepReadAcknowledged } from "./read-index.js";
import { advanceCommit, broadcastAppend, sendAppend } from "./replication.js";
import type { RaftState } from "./state.js";
import type { PeerProgress } from "./tracker/peer-progress.js";
import type { Message } from "./types.js";

export function stepAppendResponse(state: RaftState, peer: PeerProgress, message: Message): void {
  peer.recentActive = true;
  // A message from this member itself reports its own disk.
  const isOther = peer.id !== state.id;
  if (message.reject) {
    if (!peer.isContradicting) stepRejection(state, peer, message);
  } else if (!isOther || !weighAccepted(state, peer, message)) {
    stepAccepted(state, peer, message.index);
  }
}

export function stepHeartbeatResponse(
  state: RaftState,
  peer: PeerProgress,
  message: Message,
): void {
  peer.recentActive = true;
  peer.flowPaused = false;
  weighCommitted(state, peer, { index: message.index, term: message.logTerm });
  if (message.reject) peer.lostEntries(message.rejectHint);
  // The leader also sends to a follower that has everything but is being probed: its answer ends
  // the probing.
  if (peer.match < state.log.lastIndex() || peer.state === "probe") sendAppend(state, peer, true);
  if (message.context !== 0) stepReadAcknowledged(state, peer.id, message.context);
}

/** A snapshot's stream ended. The follower's own answer tells whether it installed it. */
export function stepSnapshotReported(peer: PeerProgress, ok: boolean): void {
  if (peer.state !== "snapshot") return;
  if (!ok) peer.pendingSnapshot = 0;
  peer.becomeProbe();
  // After a success the leader waits for the acknowledgement; after a failure, for the next
  // heartbeat.
  peer.flowPaused = true;
}

/** A message to the follower was probably lost, so the leader stops sending ahead. */
export function stepUnreachable(peer: PeerProgress): void {
  if (peer.state === "replicate") peer.becomeProbe();
}

/** An ordinary acknowledgement names no term. It contradicts only if it lies beyond this log. */
function weighAccepted(state: RaftState, peer: PeerProgress, message: Message): boolean {
  const { index, logTerm } = message;
  const term = logTerm === 0 ? (state.log.term(index) ?? 0) : logTerm;
  return weighCommitted(state, peer, { index, term });
}

function stepRejection(state: RaftState, peer: PeerProgress, message: Message): void {
  // The follower has an entry of term `logTerm` at the hint. Terms only rise along a log, so none
  // of the leader's indexes with a higher term can agree with it. The leader skips them.
  const { rejectHint, logTerm } = message;
  const hint = logTerm > 0 ? state.log.findConflictByTerm(rejectHint, logTerm).index : rejectHint;
  if (!peer.decrease(message.index, hint)) return;
  if (peer.state === "replicate") peer.becomeProbe();
  sendAppend(state, peer, true);
}

function stepAccepted(state: RaftState, peer: PeerProgress, index: number): void {
  const isNews = peer.acknowledge(index);
  if (!isNews && !(peer.match === index && peer.state === "probe")) return;
  if (peer.state === "probe") {
    peer.becomeReplicate();
  } else if (peer.state === "replicate") {
    peer.inflights.freeThrough(index);
  } else if (peer.match + 1 >= state.log.firstIndex()) {
    // The follower installed some snapshot, and this leader's log can continue from there.
    peer.becomeProbe();
    peer.becomeReplicate();
  }
  const isSelf = peer.id === state.id;
  if (advanceCommit(state)) {
    releaseReadsBeforeCommit(state);
    broadcastAppend(state);
  } else if (!isSelf && peer.canBumpCommit(state.log.committed)) {
    sendAppend(state, peer, true);
  }
  if (isSelf) return;
  // The answer may have made room for several messages.
  while (sendAppend(state, peer, false));
  if (peer.id === state.leadTransferee && peer.match === state.log.lastIndex()) {
    state.send({ type: "MsgTimeoutNow", to: peer.id });
  }
}
