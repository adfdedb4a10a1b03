/**
 * Checks a message from another member before it is stepped. Raft trusts its members. So this finds
 * only messages that no member sends in any state: they come from a foreign process or a broken
 * build.
 *
 * An accepted term is on disk for good, and a term near the largest number would leave none above
 * it. So a jump of the term is bounded.
 */
import type { ConfState, Message, RaftNode } from "./types.js";

/** The largest accepted jump of the term: one election in each second for 136 years. */
export const termJumpMax = 2 ** 32;
/** Terms above this are refused whatever the jump: candidates must be able to count further. */
export const termMax = 2 ** 52;
/** Snapshots beyond this index are refused: the entries behind one must be countable, too. */
export const indexMax = 2 ** 52;

export type MessageFlaw = "malformed" | "term_out_of_range" | "index_beyond_log";

/**
 * True for a heartbeat whose commit index lies beyond this member's log. A leader sends only what
 * the member once acknowledged. So older files have taken the place of the member's own, or the
 * sender is no leader. Raft does not take that commit index, and tells the leader where the log
 * ends.
 */
export function commitsBeyondLog(message: Message, node: Pick<RaftNode, "lastIndex">): boolean {
  return message.type === "MsgHeartbeat" && message.commit > node.lastIndex();
}

/** What is wrong with the message. Undefined: it may be stepped. */
export function flawOf(
  message: Message,
  node: Pick<RaftNode, "id" | "term" | "leader" | "isLeader" | "lastIndex">,
): MessageFlaw | undefined {
  if (message.to !== node.id() || message.from === node.id()) return "malformed";
  const { term } = message;
  if (term > termMax || term > node.term() + termJumpMax) return "term_out_of_range";
  if (message.logTerm > term && !isTermless(message)) return "malformed";
  if (message.snapshot !== undefined && message.type !== "MsgSnap") return "malformed";
  return flawOfType(message, node);
}

function flawOfType(
  message: Message,
  node: Pick<RaftNode, "term" | "leader" | "isLeader" | "lastIndex">,
): MessageFlaw | undefined {
  const isOfOurTerm = message.term === node.term();
  switch (message.type) {
    case "MsgProp":
      return isProposal(message) ? undefined : "malformed";
    case "MsgReadIndex":
      return message.term === 0 ? undefined : "malformed";
    case "MsgAppResp":
      // Within one term a follower has no entry that its leader lacks.
      return isOfOurTerm && node.isLeader() && message.index > node.lastIndex()
        ? "index_beyond_log"
        : withTerm(message);
    case "MsgSnap":
      return isOffer(message) ? withTerm(message) : "malformed";
    case "MsgTimeoutNow":
    case "MsgReadIndexResp":
      // Only the leader of a term sends this, and each term has one leader.
      if (isOfOurTerm && node.leader() !== 0n && node.leader() !== message.from) return "malformed";
      return withTerm(message);
    case "MsgApp":
    case "MsgHeartbeat":
    case "MsgVote":
    case "MsgVoteResp":
    case "MsgHeartbeatResp":
    case "MsgPreVote":
    case "MsgPreVoteResp":
      return withTerm(message);
    default:
      // These are events inside a node, and requests that members only make to themselves.
      return "malformed";
  }
}

function withTerm({ term }: Message): MessageFlaw | undefined {
  return term === 0 ? "malformed" : undefined;
}

function isTermless({ type }: Message): boolean {
  return type === "MsgProp" || type === "MsgReadIndex";
}

/** Entries of a proposal have no term and index yet. */
function isProposal({ term, entries }: Message): boolean {
  return term === 0 && entries.length > 0 && entries.every((e) => e.term === 0 && e.index === 0);
}

function isOffer({ term, snapshot }: Message): boolean {
  if (snapshot === undefined || snapshot.index === 0 || snapshot.term === 0) return false;
  if (snapshot.index > indexMax) return false;
  return snapshot.term <= term && isConfiguration(snapshot.confState);
}

/** Checks a configuration as far as that is possible without context. */
function isConfiguration(config: ConfState): boolean {
  const { voters, learners, votersOutgoing, learnersNext, autoLeave } = config;
  const isSet = (ids: readonly bigint[]): boolean => new Set(ids).size === ids.length;
  if (voters.length === 0 || voters.includes(0n) || learners.includes(0n)) return false;
  if (![voters, learners, votersOutgoing, learnersNext].every(isSet)) return false;
  if (learners.some((id) => voters.includes(id) || votersOutgoing.includes(id))) return false;
  if (!learnersNext.every((id) => votersOutgoing.includes(id) && !voters.includes(id)))
    return false;
  return votersOutgoing.length > 0 || (learnersNext.length === 0 && !autoLeave);
}
