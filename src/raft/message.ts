/** Makes messages of the one flat shape, so that all have the same layout in memory. */
import type { Entry, Message, MessageType } from "./types.js";

const noEntries: readonly Entry[] = [];

/** What the maker of a message sets; the rest is zero. */
export type MessageFields = Partial<Message> & {
  readonly type: MessageType;
  readonly to: bigint;
};

/** A message that is not yet sent. */
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
  // Far faster than reading every field of arguments that come in many shapes.
  return Object.assign(blank, fields);
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
