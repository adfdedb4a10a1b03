/**
 * The vocabulary of consensus: what the log holds, what members say to each other, what a node
 * takes in and gives out. Names are the Raft paper's and etcd-io/raft's.
 *
 * Terms and indexes are safe integers; 0 means "none". Member ids are unsigned 64-bit bigints;
 * 0n means "none". Byte arrays are never changed after they were handed over.
 */

/** The wire and the WAL use these numbers (etcd's raftpb). */
export const EntryType = { normal: 0, confChange: 1, confChangeV2: 2 } as const;
export type EntryType = (typeof EntryType)[keyof typeof EntryType];

export interface Entry {
  readonly term: number;
  readonly index: number;
  readonly type: EntryType;
  /** Empty for the no-op of a new leader. */
  readonly data: Uint8Array;
}

/** What must be durable before a promise leaves the member. */
export interface HardState {
  readonly term: number;
  /** The member voted for in `term`. */
  readonly vote: bigint;
  readonly commit: number;
}

/** Ids ascending in each list. Outgoing voters are empty unless the configuration is joint. */
export interface ConfState {
  readonly voters: readonly bigint[];
  readonly learners: readonly bigint[];
  readonly votersOutgoing: readonly bigint[];
  readonly learnersNext: readonly bigint[];
  readonly autoLeave: boolean;
}

/** Identifies a state of the replicated machine; the content travels apart (see member/). */
export interface SnapshotMeta {
  readonly index: number;
  readonly term: number;
  readonly confState: ConfState;
}

export type ConfChangeType = "addVoter" | "addLearner" | "remove" | "update";
export interface ConfChange {
  readonly transition: "auto" | "jointImplicit" | "jointExplicit";
  /** Empty: leave the joint configuration. */
  readonly changes: readonly { readonly type: ConfChangeType; readonly id: bigint }[];
  /** Opaque to raft: what the state machine needs to apply the change. */
  readonly context: Uint8Array;
}

/**
 * Leaves a joint configuration. In the log it is an entry of type confChangeV2 with empty data,
 * the only content of a conf change that raft itself writes and reads; the state machine answers
 * it with `applyConfChange(leaveJoint)`.
 */
export const leaveJoint: ConfChange = {
  transition: "auto",
  changes: [],
  context: new Uint8Array(0),
};

export type MessageType =
  | "MsgHup"
  | "MsgBeat"
  | "MsgProp"
  | "MsgApp"
  | "MsgAppResp"
  | "MsgVote"
  | "MsgVoteResp"
  | "MsgSnap"
  | "MsgHeartbeat"
  | "MsgHeartbeatResp"
  | "MsgUnreachable"
  | "MsgSnapStatus"
  | "MsgCheckQuorum"
  | "MsgTransferLeader"
  | "MsgTimeoutNow"
  | "MsgReadIndex"
  | "MsgReadIndexResp"
  | "MsgPreVote"
  | "MsgPreVoteResp"
  | "MsgForgetLeader";

/**
 * One flat shape for all types, as in raftpb; unused fields hold 0, 0n, false or empty. Beyond
 * raftpb, index and logTerm of a heartbeat are the end of the leader's log, those of its answer the
 * follower's last committed entry; a heartbeat with `reject` says that the leader lacks that entry.
 * MsgReadIndexResp has the end of the leader's log in rejectHint and logTerm, an MsgAppResp that says
 * "committed here already" that entry's term in logTerm.
 */
export interface Message {
  readonly type: MessageType;
  readonly from: bigint;
  readonly to: bigint;
  readonly term: number;
  readonly logTerm: number;
  readonly index: number;
  readonly commit: number;
  readonly vote: number;
  readonly reject: boolean;
  readonly rejectHint: number;
  readonly entries: readonly Entry[];
  readonly snapshot: SnapshotMeta | undefined;
  /** ReadIndex and heartbeats: the id of the read round; MsgVote: 1 forces (leader transfer). */
  readonly context: number;
}

/**
 * The log as the driver holds it, read by the node. The driver appends what `Ready.append` says
 * before its next `step`; durability is reported later by `persisted`, and until then the node
 * reads those entries from its own memory.
 */
export interface LogStorage {
  /** HardState and configuration to start from. */
  initialState(): { readonly hardState: HardState; readonly confState: ConfState };
  /** The oldest entry still held; one past the last snapshot or compaction. */
  firstIndex(): number;
  lastIndex(): number;
  /** Term of an entry in [firstIndex - 1, lastIndex]; undefined outside. */
  term(index: number): number | undefined;
  /**
   * Entries in [low, high), at least one, stopping before `bytesMax` of encoded size is exceeded;
   * undefined when `low` is already compacted away.
   */
  entries(low: number, high: number, bytesMax: number): readonly Entry[] | undefined;
  /** The newest state that can be sent to a lagging follower; undefined: not now, ask again. */
  snapshot(): SnapshotMeta | undefined;
}

export type RaftEvent =
  | { readonly kind: "tick" }
  | { readonly kind: "received"; readonly message: Message }
  /** Proposals of one turn, in order. @throws ProposalDropped if there is no leader to take them. */
  | {
      readonly kind: "proposed";
      readonly entries: readonly { readonly type: EntryType; readonly data: Uint8Array }[];
    }
  /**
   * An append (see Ready.append) is durable, after its `sendAfter` left. Exactly one event for each
   * AppendWork that had entries, in the order of the works, with its last entry: this is how the
   * node tells an old write from a newer one of the same index and term.
   */
  | { readonly kind: "persisted"; readonly index: number; readonly term: number }
  /** The snapshot given in Ready.append is durable and installed in the state machine. */
  | { readonly kind: "snapshotInstalled"; readonly index: number }
  /** All entries up to `index` are applied. */
  | { readonly kind: "applied"; readonly index: number }
  /**
   * Ask for a linearizable read point; the answer arrives as a ReadState with this id. Dropped
   * without a trace when there is no leader or the leader is lost: ask again, with a fresh id.
   */
  | { readonly kind: "readIndex"; readonly id: number }
  | { readonly kind: "campaign" }
  | { readonly kind: "transferLeader"; readonly to: bigint }
  | { readonly kind: "forgetLeader" }
  /**
   * Whether this member may stand for election (true at the start). It votes and keeps its log all
   * the same, and goes on leading if it does: hand leadership over first.
   */
  | { readonly kind: "mayLead"; readonly isAllowed: boolean }
  /** A leader becomes a follower of nobody in the same term; for others nothing happens. */
  | { readonly kind: "stepDown" }
  | { readonly kind: "unreachable"; readonly id: bigint }
  /** The snapshot stream to a follower ended. */
  | { readonly kind: "snapshotReported"; readonly id: bigint; readonly ok: boolean };

/**
 * What must reach the disk, in order, all of it or none, before `sendAfter` leaves. When it is
 * durable: send `sendAfter` (those to ourselves come back by `received`), then step `persisted` if
 * there were entries and `snapshotInstalled` if there was a snapshot.
 */
export interface AppendWork {
  readonly hardState: HardState | undefined;
  /** Continues the log (or the snapshot), or replaces its tail from the first entry's index. */
  readonly entries: readonly Entry[];
  /** To be fetched, verified and installed in place of log and state; then `snapshotInstalled`. */
  readonly snapshot: SnapshotMeta | undefined;
  /**
   * False when at most `commit` moved: such a write needs no fsync of its own. Its sendAfter, if
   * any, repeats a promise about earlier works, so it still waits until those are durable.
   */
  readonly mustSync: boolean;
  /**
   * Promise durability: leave, in order, only when this work and all before it are durable. May
   * include messages to ourselves: that is how a leader counts its own vote and its own disk.
   */
  readonly sendAfter: readonly Message[];
}

export type Role = "follower" | "preCandidate" | "candidate" | "leader";

/** An entry by its place; 0 and 0: none. */
export interface LogPoint {
  readonly index: number;
  readonly term: number;
}

/** A leader's log lacks an entry that is committed at a member: somebody lost what was on disk. */
export interface Contradiction {
  /** Ourselves, or at the leader the follower. */
  readonly member: bigint;
  /** The last committed entry of that member. */
  readonly committed: LogPoint;
  /** Where the leader's log ended when it was found. */
  readonly leaderEnd: LogPoint;
}

export interface ReadState {
  readonly id: number;
  readonly index: number;
}

/** Work since the last `takeReady`. The driver owns it; the node keeps no reference. */
export interface Ready {
  /** Set when leader, role or term changed. */
  readonly softState:
    | { readonly leader: bigint; readonly role: Role; readonly term: number }
    | undefined;
  readonly readStates: readonly ReadState[];
  /** Found since; each once a term at the leader, once in its life at the member. */
  readonly contradictions: readonly Contradiction[];
  /** May leave at once, also before `append` is durable. */
  readonly send: readonly Message[];
  readonly append: AppendWork | undefined;
  /**
   * Committed and locally durable entries to apply, in order. Pages not yet answered by `applied`
   * hold together at most `applyBytesMax`, so a cut page is followed only after `applied`.
   */
  readonly apply: readonly Entry[];
}

export interface Progress {
  readonly match: number;
  readonly next: number;
  readonly state: "probe" | "replicate" | "snapshot";
  readonly isLearner: boolean;
  readonly recentActive: boolean;
  readonly paused: boolean;
  /** Its committed entries are not in our log: nothing is sent to it, and nothing it says counts. */
  readonly isContradicting: boolean;
}

export interface RaftStatus {
  readonly id: bigint;
  readonly term: number;
  readonly vote: bigint;
  readonly commit: number;
  readonly applied: number;
  readonly leader: bigint;
  readonly role: Role;
  readonly lastIndex: number;
  readonly leadTransferee: bigint;
  readonly confState: ConfState;
  /** Per member, at the leader only; ids ascending. */
  readonly progress: ReadonlyMap<bigint, Progress>;
}

/**
 * Behaviours that etcd-io/raft offers and this store does not use. They exist to be comparable with
 * its scenario files; all are off by default.
 */
export interface RaftVariants {
  /** Appends any conf change, also one that the configuration as known here forbids. */
  readonly acceptAnyConfChange?: boolean;
  /** Answers reads from the leader's lease: needs `checkQuorum` and clocks that run alike. */
  readonly leaseReads?: boolean;
  /** Hands out committed entries to apply in the same Ready that appends them. */
  readonly applyBeforeDurable?: boolean;
}

/** Number.MAX_SAFE_INTEGER lifts any limit. */
export interface RaftConfig {
  readonly id: bigint;
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  readonly preVote: boolean;
  readonly checkQuorum: boolean;
  /** One append message carries at most this many entry bytes, but at least one entry. */
  readonly messageBytesMax: number;
  readonly inflightMessagesMax: number;
  readonly inflightBytesMax: number;
  /** Proposals beyond this many uncommitted bytes are dropped. */
  readonly uncommittedBytesMax: number;
  /** One Ready.apply page holds at most this many entry bytes, but at least one entry. */
  readonly applyBytesMax: number;
  /** Applied before this start: entries up to here are not handed out again. */
  readonly appliedIndex: number;
  /**
   * A leader that is removed or demoted steps down at once. Off (as in etcd): it goes on leading,
   * without taking proposals, until the driver hands leadership over or stops it. Off is safer: the
   * remaining voters may be too few to elect anyone before they learn that the removal is committed.
   */
  readonly stepDownOnRemoval?: boolean;
  readonly variants?: RaftVariants;
}

export interface RaftNode {
  /** @throws ProposalDropped on `proposed`; InvariantViolation on an impossible input. */
  step(event: RaftEvent): void;
  /** Undefined when there is nothing to do. */
  takeReady(): Ready | undefined;
  /**
   * Tells the node that a committed configuration change was applied (or, with undefined, was
   * found void and skipped). Call while applying the entry. Returns the resulting configuration.
   */
  applyConfChange(change: ConfChange | undefined): ConfState;
  status(): RaftStatus;
  /** Cheap parts of status, for the hot path. */
  id(): bigint;
  lastIndex(): number;
  leader(): bigint;
  term(): number;
  isLeader(): boolean;
  committedIndex(): number;
  /** The leader's log may lack what is committed here: as last heard, or not heard in this life. */
  isDoubtful(): boolean;
}

/**
 * The node cannot take a proposal now: no leader, a transfer in progress, too much uncommitted, or
 * the leader is no longer a member. None of the entries of the event was taken.
 */
export class ProposalDropped extends Error {
  override readonly name = "ProposalDropped";
  readonly reason: "noLeader" | "transferring" | "overloaded" | "removed";
  constructor(reason: "noLeader" | "transferring" | "overloaded" | "removed") {
    super(`raft proposal dropped: ${reason}`);
    this.reason = reason;
  }
}
