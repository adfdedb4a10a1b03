/** Makes messages of one flat shape, so that all have the same layout in memory. */
import type { Entry, Message, MessageType } from "./types.js";

const noEntries: readonly Entry[] = [];

/** The fields that the maker of a message sets; the rest is zero. */
export type MessageFields = Partial<Message> & {
  readonly type: MessageType;
  readonly to: bigint;
};

/** A message that is not sent yet. */
export type MessageDraft = { -readonly [Field in keyof Message]: Message[Field] };

export function makeMessage(fields: MessageFields): MessageDraft {
  const { type, to } = fields;
  const blank: MessageDraft = {
    type,
    from: 0n,
    to,
    term: 0,
    logTerm: 0,
    index: 0,
    commit: 0,
    vote: 0,
    reject: false,
    rejectHint: 0,
    entries: noEntries,
    snapshot: undefined,
    context: 0,
  };
  // This is far faster than reading every field of arguments with many shapes.
  return Object.assign(blank, fields);
}

/** True for messages that exist only as events inside a node. One from outside is ignored. */
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

/** True for answers. They count only from a member of the configuration. */
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
