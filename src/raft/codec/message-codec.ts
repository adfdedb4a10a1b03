/**
 * Messages between members as bytes. One fixed order of fields, no tags: both ends speak the version
 * that the connection agreed on. Decoding refuses anything that is not exactly one message.
 *
 *   type, flags                      bytes; flags: 1 reject, 2 snapshot follows
 *   from, to                         8 bytes each
 *   term, logTerm, index, commit, vote, rejectHint, context     varints
 *   count, entries                   see entry-codec.ts
 *   snapshot                         index, term, autoLeave, four lists of ids
 */

import type { Entry, Message, MessageType, SnapshotMeta } from "../types.js";
import { ByteReader, MessageFormatError } from "./byte-reader.js";
import { ByteWriter, varintBytesMax } from "./byte-writer.js";
import { entryBytesBound, entryBytesMin, readEntry, writeEntry } from "./entry-codec.js";

/** The numbers of the types, as in raftpb. */
const typeNumbers: Readonly<Record<MessageType, number>> = {
  MsgHup: 0,
  MsgBeat: 1,
  MsgProp: 2,
  MsgApp: 3,
  MsgAppResp: 4,
  MsgVote: 5,
  MsgVoteResp: 6,
  MsgSnap: 7,
  MsgHeartbeat: 8,
  MsgHeartbeatResp: 9,
  MsgUnreachable: 10,
  MsgSnapStatus: 11,
  MsgCheckQuorum: 12,
  MsgTransferLeader: 13,
  MsgTimeoutNow: 14,
  MsgReadIndex: 15,
  MsgReadIndexResp: 16,
  MsgPreVote: 17,
  MsgPreVoteResp: 18,
  MsgForgetLeader: 23,
};
const typesByNumber: ReadonlyMap<number, MessageType> = new Map(
  Object.entries(typeNumbers).map(([type, number]) => [number, type as MessageType]),
);

const rejectFlag = 1;
const snapshotFlag = 2;
const idBytes = 8;
const headBytesMax = 2 + 2 * idBytes + 8 * varintBytesMax;

export function encodeMessage(message: Message): Uint8Array {
  const { snapshot, entries } = message;
  let bytesMax = headBytesMax + (snapshot === undefined ? 0 : snapshotBytesBound(snapshot));
  for (const entry of entries) bytesMax += entryBytesBound(entry);
  const writer = new ByteWriter(bytesMax);
  writer.byte(typeNumbers[message.type]);
  writer.byte((message.reject ? rejectFlag : 0) | (snapshot === undefined ? 0 : snapshotFlag));
  writer.id(message.from);
  writer.id(message.to);
  writer.varint(message.term);
  writer.varint(message.logTerm);
  writer.varint(message.index);
  writer.varint(message.commit);
  writer.varint(message.vote);
  writer.varint(message.rejectHint);
  writer.varint(message.context);
  writer.varint(entries.length);
  for (const entry of entries) writeEntry(writer, entry);
  if (snapshot !== undefined) writeSnapshot(writer, snapshot);
  return writer.finish();
}

/**
 * Decodes a message. The data of its entries are views of `bytes`, which must not change
 * afterwards. @throws MessageFormatError
 */
export function decodeMessage(bytes: Uint8Array): Message {
  const reader = new ByteReader(bytes);
  const typeNumber = reader.byte();
  const type = typesByNumber.get(typeNumber);
  if (type === undefined) throw new MessageFormatError(`unknown message type ${typeNumber}`);
  const flags = reader.byte();
  if (flags > (rejectFlag | snapshotFlag)) throw new MessageFormatError(`unknown flags ${flags}`);
  const message: Message = {
    type,
    from: reader.id(),
    to: reader.id(),
    term: reader.varint(),
    logTerm: reader.varint(),
    index: reader.varint(),
    commit: reader.varint(),
    vote: reader.varint(),
    reject: (flags & rejectFlag) !== 0,
    rejectHint: reader.varint(),
    context: reader.varint(),
    entries: readEntries(reader),
    snapshot: (flags & snapshotFlag) === 0 ? undefined : readSnapshot(reader),
  };
  reader.end();
  if (type === "MsgApp") assertContinuous(message);
  return message;
}

function readEntries(reader: ByteReader): readonly Entry[] {
  const count = reader.count(entryBytesMin);
  const entries: Entry[] = [];
  for (let at = 0; at < count; at++) entries.push(readEntry(reader));
  return entries;
}

/**
 * Refuses entries with a gap. Raft relies on consecutive entries, and a gap would only show much
 * later.
 */
function assertContinuous({ term, logTerm, index, entries }: Message): void {
  let lastIndex = index;
  let lastTerm = logTerm;
  for (const entry of entries) {
    if (entry.index !== ++lastIndex || entry.term < lastTerm || entry.term > term) {
      throw new MessageFormatError("entries do not follow each other");
    }
    lastTerm = entry.term;
  }
}

function snapshotBytesBound({ confState }: SnapshotMeta): number {
  const { voters, learners, votersOutgoing, learnersNext } = confState;
  const ids = voters.length + learners.length + votersOutgoing.length + learnersNext.length;
  return 6 * varintBytesMax + 1 + ids * idBytes;
}

function writeSnapshot(writer: ByteWriter, { index, term, confState }: SnapshotMeta): void {
  writer.varint(index);
  writer.varint(term);
  writer.byte(confState.autoLeave ? 1 : 0);
  writeIds(writer, confState.voters);
  writeIds(writer, confState.learners);
  writeIds(writer, confState.votersOutgoing);
  writeIds(writer, confState.learnersNext);
}

function readSnapshot(reader: ByteReader): SnapshotMeta {
  const index = reader.varint();
  const term = reader.varint();
  const autoLeave = reader.byte();
  if (autoLeave > 1) throw new MessageFormatError("autoLeave is neither 0 nor 1");
  const voters = readIds(reader);
  const learners = readIds(reader);
  const votersOutgoing = readIds(reader);
  const learnersNext = readIds(reader);
  const confState = { voters, learners, votersOutgoing, learnersNext, autoLeave: autoLeave === 1 };
  return { index, term, confState };
}

function writeIds(writer: ByteWriter, ids: readonly bigint[]): void {
  writer.varint(ids.length);
  for (const id of ids) writer.id(id);
}

function readIds(reader: ByteReader): bigint[] {
  const count = reader.count(idBytes);
  const ids: bigint[] = [];
  for (let at = 0; at < count; at++) ids.push(reader.id());
  return ids;
}
