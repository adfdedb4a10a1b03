/** Prints in the notation of the scenario files (the Describe functions of etcd-io/raft). */
import type { PeerProgress } from "../tracker/peer-progress.js";
import {
  type ConfState,
  type Entry,
  EntryType,
  type HardState,
  type LogPoint,
  type Message,
  type Role,
  type SnapshotMeta,
} from "../types.js";
import { changesText, decodeChange } from "./conf-change-text.fixture.js";

const roleNames: Readonly<Record<Role, string>> = {
  follower: "StateFollower",
  preCandidate: "StatePreCandidate",
  candidate: "StateCandidate",
  leader: "StateLeader",
};
const flowNames = {
  probe: "StateProbe",
  replicate: "StateReplicate",
  snapshot: "StateSnapshot",
} as const;
const entryTypeNames = ["EntryNormal", "EntryConfChange", "EntryConfChangeV2"];

export function roleName(role: Role): string {
  return roleNames[role];
}

export function describeIds(ids: readonly bigint[]): string {
  return `(${ids.map((id) => id.toString(16)).join(" ")})`;
}

export function describeConfig(config: ConfState): string {
  const { voters, votersOutgoing, learners, learnersNext, autoLeave } = config;
  const outgoing = votersOutgoing.length > 0 ? `&&${describeIds(votersOutgoing)}` : "";
  const parts = [`voters=${describeIds(voters)}${outgoing}`];
  if (learners.length > 0) parts.push(`learners=${describeIds(learners)}`);
  if (learnersNext.length > 0) parts.push(`learners_next=${describeIds(learnersNext)}`);
  if (autoLeave) parts.push("autoleave");
  return parts.join(" ");
}

export function describeProgress(peer: PeerProgress): string {
  const parts = [`${peer.id}: ${flowNames[peer.state]} match=${peer.match} next=${peer.next}`];
  if (peer.isLearner) parts.push("learner");
  if (peer.paused) parts.push("paused");
  if (peer.pendingSnapshot > 0) parts.push(`pendingSnap=${peer.pendingSnapshot}`);
  if (!peer.recentActive) parts.push("inactive");
  const inflight = peer.inflights.count();
  if (inflight > 0) parts.push(`inflight=${inflight}${peer.inflights.isFull() ? "[full]" : ""}`);
  return parts.join(" ");
}

export function describeEntry(entry: Entry): string {
  const text =
    entry.type === EntryType.normal
      ? JSON.stringify(new TextDecoder().decode(entry.data))
      : changesText(decodeChange(entry).changes);
  const head = `${entry.term}/${entry.index} ${entryTypeNames[entry.type]}`;
  return text === "" ? head : `${head} ${text}`;
}

export function describeHardState({ term, vote, commit }: HardState): string {
  return `Term:${term}${vote === 0n ? "" : ` Vote:${vote}`} Commit:${commit}`;
}

export function describeSnapshot({ index, term, confState }: SnapshotMeta): string {
  const { voters, votersOutgoing, learners, learnersNext, autoLeave } = confState;
  const list = (ids: readonly bigint[]) => `[${ids.join(" ")}]`;
  return (
    `Index:${index} Term:${term} ConfState:Voters:${list(voters)} ` +
    `VotersOutgoing:${list(votersOutgoing)} Learners:${list(learners)} ` +
    `LearnersNext:${list(learnersNext)} AutoLeave:${autoLeave}`
  );
}

/** What a message line shows. Local messages to and from storage have names instead of ids. */
export interface Shown {
  readonly from: string;
  readonly to: string;
  readonly type: string;
  readonly term: number;
  readonly logTerm: number;
  readonly index: number;
  readonly rejectHint?: number | undefined;
  readonly commit: number;
  readonly vote: bigint;
  readonly entries: readonly Entry[];
  readonly snapshot: SnapshotMeta | undefined;
  readonly responses: readonly string[];
}

/** Hides the fields that Lockstep's messages carry beyond raftpb (see Message). */
function shownPoint({ type, index, logTerm, reject }: Message): LogPoint {
  const isHeartbeat = type === "MsgHeartbeat" || type === "MsgHeartbeatResp";
  if (isHeartbeat) return { index: 0, term: 0 };
  const isPlain = type === "MsgReadIndexResp" || (type === "MsgAppResp" && !reject);
  return { index, term: isPlain ? 0 : logTerm };
}

export function describeMessage(message: Message): string {
  const { type, term, commit, entries, snapshot } = message;
  const { index, term: logTerm } = shownPoint(message);
  return describeShown({
    from: message.from === 0n ? "None" : message.from.toString(16),
    to: message.to.toString(16),
    type,
    term,
    logTerm,
    index,
    rejectHint: message.reject ? message.rejectHint : undefined,
    commit,
    vote: 0n,
    entries,
    snapshot,
    responses: [],
  });
}

export function describeShown(m: Shown): string {
  let text = `${m.from}->${m.to} ${m.type} Term:${m.term} Log:${m.logTerm}/${m.index}`;
  if (m.rejectHint !== undefined) text += ` Rejected (Hint: ${m.rejectHint})`;
  if (m.commit !== 0) text += ` Commit:${m.commit}`;
  if (m.vote !== 0n) text += ` Vote:${m.vote}`;
  if (m.entries.length === 1) text += ` Entries:[${describeEntry(m.entries[0] as Entry)}]`;
  if (m.entries.length > 1) {
    text += ` Entries:[${m.entries.map((entry) => `\n  ${describeEntry(entry)}`).join("")}\n]`;
  }
  if (m.snapshot !== undefined) text += `\n  Snapshot: ${describeSnapshot(m.snapshot)}`;
  if (m.responses.length > 0) {
    text += ` Responses:[${m.responses.map((response) => `\n${indent(response)}`).join("")}\n]`;
  }
  return text;
}

export function indent(text: string): string {
  return text
    .split("\n")
    .map((line) => `  ${line}`)
    .join("\n");
}
