/** Makes messages of the one flat shape, so that all have the same layout in memory. */
import type { Entry, Message, MessageType } from "./types.js";

const noEntries: readonly Entry[] = [];

export function makeMessage(
  fields: Partial<Message> & { readonly type: MessageType; readonly to: bigint },
): Message {
  return {
    type: fields.type,
    from: fields.from ?? 0n,
    to: fields.to,
    term: fields.term ?? 0,
    logTerm: fields.logTerm ?? 0,
    index: fields.index ?? 0,
    commit: fields.commit ?? 0,
    vote: fields.vote ?? 0,
    reject: fields.reject ?? false,
    rejectHint: fields.rejectHint ?? 0,
    entries: fields.entries ?? noEntries,
    snapshot: fields.snapshot,
    context: fields.context ?? 0,
  };
}

/** Messages that exist only as events inside a node: one from outside is ignored. */
export function isLocalType(type: MessageType): boolean {
  switch (type) {
    case "MsgHup":
    case "MsgBeat":
    case "MsgUnreachable":
    case "MsgSnapStatus":
    case "MsgCheckQuorum":
      return true;
    default:
      return false;
  }
}

/** Answers: meaningful only from a member of the configuration. */
export function isResponseType(type: MessageType): boolean {
  switch (type) {
    case "MsgAppResp":
    case "MsgVoteResp":
    case "MsgPreVoteResp":
    case "MsgHeartbeatResp":
    case "MsgReadIndexResp":
      return true;
    default:
      return false;
  }
}
