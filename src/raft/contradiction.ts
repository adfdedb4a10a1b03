/**
 * Finds out that a majority has lost data.
 *
 * Raft promises that a committed entry stands in the log of every later leader (Raft paper, 5.4.3).
 * If a member's committed entries are not in its leader's log, the disks of a majority were wiped,
 * or replaced by older copies. Then the member must not answer, acknowledge or vote, because its
 * log belongs to another history.
 *
 * The leader decides. Its log only grows within its term, and a member reports its commit index
 * only after leaders of this or earlier terms sent it. So late, repeated or reordered messages
 * prove nothing wrong. The member itself can only suspect it: a heartbeat may be older than the
 * member's latest commit.
 */
import type { RaftState } from "./state.js";
import type { PeerProgress } from "./tracker/peer-progress.js";
import type { LogPoint, Message } from "./types.js";

interface KnownLog {
  lastIndex(): number;
  /** The term of the entry at `index`. Undefined: it is compacted away, or not there. */
  term(index: number): number | undefined;
}

/** True if the leader's log lacks this committed entry. Compacted entries cannot be compared. */
export function lacks(leaders: KnownLog, committed: LogPoint): boolean {
  if (committed.index > leaders.lastIndex()) return true;
  const term = leaders.term(committed.index);
  return term !== undefined && term !== committed.term;
}

/**
 * True if a leader whose log ends (or once ended) there may lack entries that are committed here.
 */
export function isDoubtful(leaderEnd: LogPoint, committed: LogPoint): boolean {
  if (leaderEnd.index < committed.index) return true;
  return leaderEnd.index === committed.index && leaderEnd.term !== committed.term;
}

export function committedPoint({ log }: RaftState): LogPoint {
  return { index: log.committed, term: log.term(log.committed) ?? 0 };
}

export function lastPoint({ log }: RaftState): LogPoint {
  return { index: log.lastIndex(), term: log.lastTerm() };
}

/**
 * At the leader: takes a follower's report that this entry is committed in its log. Index 0: the
 * follower did not say.
 *
 * @returns whether the follower's log contradicts the leader's
 */
export function weighCommitted(state: RaftState, peer: PeerProgress, committed: LogPoint): boolean {
  if (peer.isContradicting) return true;
  if (committed.index === 0 || !lacks(state.log, committed)) return false;
  contradict(state, peer, committed);
  return true;
}

/** At the leader: the follower has a committed entry there that the leader's log lacks. */
export function contradict(state: RaftState, peer: PeerProgress, committed: LogPoint): void {
  if (peer.isContradicting) return;
  peer.contradicts();
  state.contradictions.push({ member: peer.id, committed, leaderEnd: lastPoint(state) });
  sendHeartbeat(state, peer, 0);
}

/**
 * Sends a heartbeat. It tells a contradicting follower that it contradicts, and gives it no commit
 * index.
 */
export function sendHeartbeat(state: RaftState, peer: PeerProgress, context: number): void {
  const { index, term: logTerm } = lastPoint(state);
  // The commit index must not be beyond what the follower is known to share: its further entries
  // may differ.
  const commit = Math.min(peer.match, state.log.committed);
  const reject = peer.isContradicting;
  state.send({ type: "MsgHeartbeat", to: peer.id, commit, context, index, logTerm, reject });
  peer.sentCommit = commit;
}

/** At a follower: its leader said where the leader's log ends. */
export function hearLeaderEnd(state: RaftState, leaderEnd: LogPoint): void {
  state.hasHeardLeader = true;
  if (leaderEnd.index === 0) return;
  state.isDoubtful = isDoubtful(leaderEnd, committedPoint(state));
}

/**
 * At a follower: its leader lacks entries that are committed here. Only a restart ends this state.
 */
export function hearContradiction(state: RaftState, message: Message): void {
  if (state.isContradicted) return;
  state.isContradicted = true;
  const leaderEnd = { index: message.index, term: message.logTerm };
  state.contradictions.push({ member: state.id, committed: committedPoint(state), leaderEnd });
}
