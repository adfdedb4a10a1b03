/**
 * A stranger's messages to a member. No member would send them, so the receiver must drop all of
 * them. Under the name of a member a stranger sends only what the check of messages can recognise
 * as wrong. A forged vote of the right term cannot be told from a true one; the proof of the sender
 * must stop it.
 */

import { EntryEncoder } from "../../member/turns/request-codec.js";
import { raftEnvelope } from "../../peers/codec.js";
import { encodeMessage } from "../../raft/codec/message-codec.js";
import { type MessageFields, makeMessage } from "../../raft/message.js";
import { EntryType } from "../../raft/types.js";
import { PutRequest } from "../../wire/gen/rpc.js";
import { RequestField } from "../../wire/proposal.js";
import type { SimNode } from "./sim-node.js";

/** The id of no member. */
const stranger = 0xbad_c0ffeen;
/** How many kinds of forged messages there are: `forge` takes 0 to this number less 1. */
export const forgeries = 10;

/** The sender that it claims, and the bytes; undefined: there is no member to send it to. */
export function forge(
  node: SimNode,
  shape: number,
): { readonly from: bigint; readonly bytes: Uint8Array } | undefined {
  const { member } = node;
  if (member === undefined) return undefined;
  const to = member.id;
  const other = member.machine.cluster.members().find(({ id }) => id !== to)?.id;
  const term = member.term();
  const { commit, lastIndex } = member.probe.raft.status();
  const far = Number.MAX_SAFE_INTEGER;
  const say = (from: bigint | undefined, fields: Omit<MessageFields, "to" | "from">) =>
    from === undefined ? undefined : { from, bytes: encoded({ ...fields, to, from }) };
  switch (shape % forgeries) {
    case 0:
      return say(other, { type: "MsgHeartbeat", term: far });
    case 1:
      return say(other, { type: "MsgVote", term: far - 1, index: far, logTerm: 1, context: 1 });
    case 2:
      return say(other, { type: "MsgHeartbeat", term: Math.max(1, term), commit: lastIndex + 1 });
    case 3:
      return say(other, { type: "MsgHeartbeat", term: term + 1, commit: 1e9 });
    case 4:
      return say(other, { type: "MsgProp" });
    case 5:
      return say(other, { type: "MsgForgetLeader", term: Math.max(1, term) });
    case 6:
      return say(stranger, { type: "MsgProp", entries: [forgedPut(stranger)] });
    case 7:
      return say(stranger, { type: "MsgVote", term: term + 1, index: far, logTerm: 1, context: 1 });
    case 8:
      return say(stranger, { type: "MsgHeartbeat", term: term + 1, commit });
    default:
      return other === undefined ? undefined : { from: other, bytes: Uint8Array.of(1, 3, 99, 7) };
  }
}

function encoded(fields: MessageFields): Uint8Array {
  return raftEnvelope(encodeMessage(makeMessage(fields)), undefined);
}

/** A put that no client asked for. */
function forgedPut(proposer: bigint) {
  const put = {
    ...PutRequest.decode(new Uint8Array(0)),
    ...{ key: Buffer.from("k0"), value: Buffer.from("forged") },
  };
  const body = PutRequest.encode(put).finish();
  const data = new EntryEncoder(proposer).encode(1, RequestField.put, body);
  return { term: 0, index: 0, type: EntryType.normal, data };
}
