/**
 * Sends entries, snapshots and heartbeats from a leader to its followers, and decides when an entry
 * counts as committed (Raft paper, sections 5.3 and 5.4.2). A follower gets a snapshot when the
 * leader no longer has the entries. Followers are served ascending by id.
 */
import { invariant } from "../base/invariant.js";
import { isMember } from "./confchange/consistency.js";
import { sendHeartbeat } from "./contradiction.js";
import { payloadBytes } from "./log/entry-bytes.js";
import type { RaftState } from "./state.js";
import type { PeerProgress } from "./tracker/peer-progress.js";
import type { Entry } from "./types.js";

const noEntries: readonly Entry[] = [];

/**
 * Sends each follower the entries that it lacks. A follower that lacks none gets the commit index.
 */
export function broadcastAppend(state: RaftState): void {
  for (const peer of state.tracker.peers) {
    if (peer.id !== state.id) sendAppend(state, peer, true);
  }
}

/**
 * Sends one append message, or a snapshot, if flow control allows.
 *
 * @param evenIfEmpty a message without entries still tells the commit index
 * @returns whether a message was sent
 */
export function sendAppend(state: RaftState, peer: PeerProgress, evenIfEmpty: boolean): boolean {
  if (peer.paused) return false;
  const { log, config } = state;
  const index = peer.next - 1;
  const logTerm = log.term(index);
  if (logTerm === undefined) return sendSnapshot(state, peer);
  // With a full window only empty messages go out. If all of the window was lost, the answer to an
  // empty message shows it.
  const isThrottled = peer.state === "replicate" && peer.inflights.isFull();
  const entries = isThrottled ? noEntries : log.entriesFrom(peer.next, config.messageBytesMax);
  if (entries === undefined) return sendSnapshot(state, peer);
  if (entries.length === 0 && !evenIfEmpty) return false;
  const commit = log.committed;
  state.send({ type: "MsgApp", to: peer.id, index, logTerm, entries, commit });
  peer.sentEntries(entries.length, payloadBytes(entries));
  peer.sentCommit = commit;
  return true;
}

/** Sends heartbeats to all; they carry the newest waiting read. */
export function broadcastHeartbeat(state: RaftState): void {
  const context = state.reads.newest();
  for (const peer of state.tracker.peers) {
    if (peer.id !== state.id) sendHeartbeat(state, peer, context);
  }
}

/**
 * Commits what a quorum has on disk, but only up to an entry of this term: an older one could still
 * be replaced (Raft paper, figure 8). Returns true if the commit index has moved.
 */
export function advanceCommit(state: RaftState): boolean {
  const index = state.tracker.committed();
  if (index <= state.log.committed || !state.log.matches(index, state.term)) return false;
  state.log.commitTo(index);
  return true;
}

function sendSnapshot(state: RaftState, peer: PeerProgress): boolean {
  // A silent follower would not take a snapshot, and making one is expensive.
  if (!peer.recentActive) return false;
  const snapshot = state.log.snapshot();
  // The follower would refuse a snapshot from before it was added and ask again at once, so the
  // leader waits for a newer one.
  if (snapshot === undefined || !isMember(snapshot.confState, peer.id)) return false;
  invariant(snapshot.index > 0, "a snapshot to send has an index");
  peer.becomeSnapshot(snapshot.index);
  state.send({ type: "MsgSnap", to: peer.id, snapshot });
  return true;
}
