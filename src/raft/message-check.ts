/**
 * What may be believed of a message from another member, before it is stepped. Raft trusts its members,
 * so this finds only what no member sends, whatever its state: a process that is not one of ours, a
 * build that is broken. A term once accepted is on disk for good, and one near the end of the numbers
 * would be the last: hence the bound on a jump.
 */
import type { ConfState, Message, RaftNode } from "./types.js";

/** One election in each second for 136 years. */
export const termJumpMax = 2 ** 32;
/** Terms above this are refused whatever the jump: candidates must be able to count on. */
export const termMax = 2 ** 52;

export type MessageFlaw = "malformed" | "term_out_of_range" | "index_beyond_log";

/** Undefined: it may be stepped. */
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
    case "MsgHeartbeat":
      // It names only what this member has acknowledged.
      return message.commit > node.lastIndex() ? "index_beyond_log" : withTerm(message);
    case "MsgAppResp":
      // A follower knows no entry of our term that we have not.
      return isOfOurTerm && node.isLeader() && message.index > node.lastIndex()
        ? "index_beyond_log"
        : withTerm(message);
    case "MsgSnap":
      return isOffer(message) ? withTerm(message) : "malformed";
    case "MsgTimeoutNow":
    case "MsgReadIndexResp":
      // Only the leader of a term says so, and each term has one.
      if (isOfOurTerm && node.leader() !== 0n && node.leader() !== message.from) return "malformed";
      return withTerm(message);
    case "MsgApp":
    case "MsgVote":
    case "MsgVoteResp":
    case "MsgHeartbeatResp":
    case "MsgPreVote":
    case "MsgPreVoteResp":
      return withTerm(message);
    default:
      // Events inside of a node, and requests that members only make to themselves.
      return "malformed";
  }
}

function withTerm({ term }: Message): MessageFlaw | undefined {
  return term === 0 ? "malformed" : undefined;
}

function isTermless({ type }: Message): boolean {
  return type === "MsgProp" || type === "MsgReadIndex";
}

/** Entries of a proposal have no place yet. */
function isProposal({ term, entries }: Message): boolean {
  return term === 0 && entries.length > 0 && entries.every((e) => e.term === 0 && e.index === 0);
}

function isOffer({ term, snapshot }: Message): boolean {
  if (snapshot === undefined || snapshot.index === 0 || snapshot.term === 0) return false;
  return snapshot.term <= term && isConfiguration(snapshot.confState);
}

/** As far as a configuration can be judged by itself. */
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
