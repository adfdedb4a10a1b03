/**
 * Decodes a raft message of another member and checks whether raft may act on it. If not, says why.
 */
import type { Rejection } from "../platform/network.js";
import { decodeMessage } from "../raft/codec/message-codec.js";
import { commitsBeyondLog, flawOf } from "../raft/message-check.js";
import type { Message, RaftNode } from "../raft/types.js";

/** Decodes the bytes that `from` sent. A Rejection says why raft must not get the message. */
export function soundMessage(bytes: Uint8Array, from: bigint, raft: RaftNode): Message | Rejection {
  let message: Message;
  try {
    message = decodeMessage(bytes);
  } catch (error) {
    return { reason: "unreadable", from, fields: { error: String(error) } };
  }
  const fields = fieldsOf(message, raft);
  if (message.from !== from) return { reason: "malformed", from, fields };
  const flaw = flawOf(message, raft);
  return flaw === undefined ? message : { reason: flaw, from, fields };
}

/**
 * The refusal to report for a message that passes, but of which raft ignores a part. Undefined:
 * raft takes all of it.
 */
export function untakenPart(message: Message, raft: RaftNode): Rejection | undefined {
  if (!commitsBeyondLog(message, raft)) return undefined;
  return { reason: "index_beyond_log", from: message.from, fields: fieldsOf(message, raft) };
}

function fieldsOf({ type, term, index, commit }: Message, raft: RaftNode): Rejection["fields"] {
  return { type, term, index, commit, "local-term": raft.term() };
}
