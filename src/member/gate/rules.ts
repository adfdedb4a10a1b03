/**
 * The rules of admission. Each looks at this member, at who asks or at the request, and returns the
 * refusal; undefined: nothing speaks against the request. A rule changes nothing, but for the quota,
 * which raises the alarm NOSPACE when it refuses. table.ts says which rules hold for which RPC.
 */
import { KvError } from "../../base/errors.js";
import { isClusterCorrupt } from "../../state/alarm/alarm-set.js";
import type { AlarmRecord } from "../../state/types.js";
import type { Change, ChangeRequest, Client, ReadRequest, WriteRequest } from "./requests.js";

/** A member refuses writes while more committed entries than this wait to be applied. */
export const applyLagMax = 5_000;

/** Messages of one stream that may wait until an earlier one of it is answered. */
export const streamWaitingMax = 10_000;

/** What the rules may look at in a member. */
export interface GateView {
  /** Bytes of the largest encoded request. */
  readonly requestBytesMax: number;
  isStopping(): boolean;
  isLearner(): boolean;
  hasLeader(): boolean;
  /**
   * Returns the refusal while this member's state is wrong or not yet healed, or its leader has
   * lost entries.
   */
  integrityRefusal(): KvError | undefined;
  alarms(): readonly AlarmRecord[];
  committedIndex(): number;
  appliedIndex(): number;
  /**
   * Returns true if as many requests, or as many bytes of them, wait for the log as this member
   * keeps.
   */
  isQueueFull(): boolean;
  /**
   * Returns the refusal of a request that would exceed the quota, and raises the alarm NOSPACE
   * then. Does not look at alarms.
   */
  quotaRefusal(growthBytes: number): KvError | undefined;
  /**
   * Returns true if the alarm NOSPACE is in the applied state, which may be behind that of other
   * members.
   */
  isOutOfSpace(): boolean;
  /** Returns the refusal of a change that could cost the cluster its quorum. */
  quorumRefusal(change: Change): KvError | undefined;
}

type Refusal = KvError | undefined;
/** Checked when a call comes, before its message is read. */
export type ArrivalRule = (member: GateView, client: Client) => Refusal;
/** Checked when a message of a stream must wait. `waiting` counts it. */
export type QueueRule = (member: GateView, waiting: number) => Refusal;
/** Checked before a request reads the state. */
export type ReadRule = (member: GateView, request: ReadRequest) => Refusal;
/** Checked before a request goes into the log. */
export type WriteRule = (member: GateView, request: WriteRequest) => Refusal;
/** Checked before a change of the membership goes into the log. */
export type ChangeRule = (member: GateView, request: ChangeRequest) => Refusal;

/** A member that stops, or has stopped, takes nothing. */
export const notStopping = (member: GateView): Refusal =>
  member.isStopping() ? new KvError("stopped") : undefined;

/** A member in quarantine, or with entries that its leader lacks, answers nothing from its state. */
export const soundState = (member: GateView): Refusal => member.integrityRefusal();

/** Learners offer only a few RPCs. */
export const notLearner = (member: GateView): Refusal =>
  member.isLearner() ? new KvError("notSupportedForLearner") : undefined;

/** A client may ask to be refused rather than served without a leader (etcd's metadata). */
export const leaderIfRequired: ArrivalRule = (member, client) =>
  // In this order, because reading the metadata is slow.
  !member.hasLeader() && requiresLeader(client) ? new KvError("noLeader") : undefined;

/** True if the client sent etcd's metadata "hasleader: true". */
export function requiresLeader(client: Client): boolean {
  return client.metadata("hasleader") === "true";
}

/** While the CORRUPT alarm of the whole cluster is active, members serve no keys. */
export const noCorruptAlarm = (member: GateView): Refusal => {
  const alarms = member.alarms();
  if (alarms.length === 0) return undefined;
  return alarms.some(isClusterCorrupt) ? new KvError("corrupt") : undefined;
};

/** A learner answers only reads of applied state. */
export const localOnLearner: ReadRule = (member, { isLocal }) =>
  isLocal ? undefined : notLearner(member);

/** Refuses an encoded request of more octets than --max-request-bytes allows. */
export const withinSize: WriteRule = (member, { body }) =>
  body.length > member.requestBytesMax ? new KvError("requestTooLarge") : undefined;

/** Back-pressure: refuses writes while apply lags far behind what is committed. */
export const applyKeepsUp = (member: GateView): Refusal =>
  member.committedIndex() - member.appliedIndex() > applyLagMax
    ? new KvError("tooManyRequests")
    : undefined;

/** Back-pressure: refuses writes while too many requests wait for the log. */
export const queueHasRoom = (member: GateView): Refusal =>
  member.isQueueFull() ? new KvError("tooManyRequests") : undefined;

/** Back-pressure: refuses a stream whose client sends faster than this member answers. */
export const streamHasRoom: QueueRule = (_member, waiting) =>
  waiting > streamWaitingMax ? new KvError("tooManyRequests") : undefined;

/**
 * Refuses a write that would grow the backend beyond the quota. `growthBytes`: 0 if it cannot
 * grow.
 */
export const withinQuota: WriteRule = (member, { growthBytes }) => member.quotaRefusal(growthBytes);

/**
 * Refuses a change that leaves no quorum of started and connected voters (etcd's strict checks).
 */
export const keepsQuorum: ChangeRule = (member, { change }) => member.quorumRefusal(change);
