/**
 * The vocabulary of consensus: what the log holds, what members send to each other, what a node
 * takes in and gives out. Names are the Raft paper's and etcd-io/raft's.
 *
 * Terms and indexes are safe integers; 0 means "none". Member ids are unsigned 64-bit bigints; 0n
 * means "none". Byte arrays are never changed after they were handed over.
 */

/** The wire and the WAL use these numbers (etcd's raftpb). */
export const EntryType = { normal: 0, confChange: 1, confChangeV2: 2 } as const;
export type EntryType = (typeof EntryType)[keyof typeof EntryType];

export interface Entry {
  readonly term: number;
  readonly index: number;
  readonly type: EntryType;
  /** The content. It is empty for the first entry of a new leader. */
  readonly data: Uint8Array;
}

/** The state that must be durable before a promise leaves the member. */
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

/**
 * Identifies a state of the replicated machine. The content of that state travels separately
 * (src/snapshot).
 */
export interface SnapshotMeta {
  readonly index: number;
  readonly term: number;
  readonly confState: ConfState;
}

export type ConfChangeType = "addVoter" | "addLearner" | "remove" | "update";
export interface ConfChange {
  readonly transition: "auto" | "jointImplicit" | "jointExplicit";
  /** The changes to make. Empty: leave the joint configuration. */
  readonly changes: readonly { readonly type: ConfChangeType; readonly id: bigint }[];
  /** Data that raft does not read: what the state machine needs to apply the change. */
  readonly context: Uint8Array;
}

/**
 * Leaves a joint configuration. In the log it is an entry of type confChangeV2 with empty data. It
 * is the only content of a conf change that raft itself writes and reads. The state machine answers
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
 * One flat shape for all types, as in raftpb. Unused fields hold 0, 0n, false or empty. These
 * fields go beyond raftpb: index and logTerm of a heartbeat are the end of the leader's log; those
 * of its answer are the follower's last committed entry. A heartbeat with `reject` says that the
 * leader lacks that entry. MsgReadIndexResp has the end of the leader's log in rejectHint and
 * logTerm. An MsgAppResp for an index that is already committed at the follower has that entry's
 * term in logTerm.
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
  /**
   * In ReadIndex messages and heartbeats: the id of the read round. In MsgVote: 1 if a transfer
   * forces the election.
   */
  readonly context: number;
}

/**
 * The log as the driver holds it, read by the node. The driver appends the entries of
 * `Ready.append` before its next `step`, and reports later by `persisted` that they are durable.
 * Until then the node reads those entries from its own memory.
 */
export interface LogStorage {
  /** HardState and configuration to start from. */
  initialState(): { readonly hardState: HardState; readonly confState: ConfState };
  /** The oldest entry still held; one past the last snapshot or compaction. */
  firstIndex(): number;
  lastIndex(): number;
  /** The term of an entry in [firstIndex - 1, lastIndex]; undefined outside of that. */
  term(index: number): number | undefined;
  /**
   * Entries in [low, high), at least one, stopping before `bytesMax` of encoded size is exceeded;
   * undefined when `low` is already compacted away.
   */
  entries(low: number, high: number, bytesMax: number): readonly Entry[] | undefined;
  /** The newest state that can be sent to a follower. Undefined: none now, ask again. */
  snapshot(): SnapshotMeta | undefined;
}

export type RaftEvent =
  | { readonly kind: "tick" }
  | { readonly kind: "received"; readonly message: Message }
  /**
   * The proposals of one turn, in order. @throws ProposalDropped if there is no leader to take them
   */
  | {
      readonly kind: "proposed";
      readonly entries: readonly { readonly type: EntryType; readonly data: Uint8Array }[];
    }
  /**
   * An append (see Ready.append) is durable, and its `sendAfter` has left. There is exactly one
   * such event for each AppendWork that had entries, in the order of the works, with its last
   * entry. So the node can tell an old write from a newer one of the same index and term.
   */
  | { readonly kind: "persisted"; readonly index: number; readonly term: number }
  /** The snapshot given in Ready.append is durable and installed in the state machine. */
  | { readonly kind: "snapshotInstalled"; readonly index: number }
  /** All entries up to `index` are applied. */
  | { readonly kind: "applied"; readonly index: number }
  /**
   * Asks for a linearizable read point. The answer is a ReadState with this id. Without a leader,
   * or if the leader is lost, the request is dropped silently: ask again, with a fresh id.
   */
  | { readonly kind: "readIndex"; readonly id: number }
  | { readonly kind: "campaign" }
  | { readonly kind: "transferLeader"; readonly to: bigint }
  | { readonly kind: "forgetLeader" }
  /**
   * Whether this member may stand for election (true at the start). With false it still votes and
   * keeps its log, and continues to lead if it does: hand leadership over first.
   */
  | { readonly kind: "mayLead"; readonly isAllowed: boolean }
  /** A leader becomes a follower without a leader, in the same term. No effect elsewhere. */
  | { readonly kind: "stepDown" }
  /**
   * Says that this member's log holds other committed entries than the leader's, with the same
   * indexes and terms (`id`: this member itself), or, at the leader, that a follower's log does.
   */
  | { readonly kind: "contradicted"; readonly id: bigint; readonly committed: LogPoint }
  | { readonly kind: "unreachable"; readonly id: bigint }
  /** Says that the snapshot stream to a follower has ended. */
  | { readonly kind: "snapshotReported"; readonly id: bigint; readonly ok: boolean };

/**
 * What must reach the disk, in order, all of it or none, before `sendAfter` leaves. When it is
 * durable: send `sendAfter` (messages to this member itself come back by `received`), then step
 * `persisted` if there were entries and `snapshotInstalled` if there was a snapshot.
 */
export interface AppendWork {
  readonly hardState: HardState | undefined;
  /** Continues the log (or the snapshot), or replaces its tail from the first entry's index. */
  readonly entries: readonly Entry[];
  /**
   * A snapshot to fetch, verify and install in the place of log and state. Then step
   * `snapshotInstalled`.
   */
  readonly snapshot: SnapshotMeta | undefined;
  /**
   * False if at most `commit` moved: such a write needs no fsync of its own. Its sendAfter, if any,
   * repeats a promise about earlier works, so it still waits until those are durable.
   */
  readonly mustSync: boolean;
  /**
   * Messages that promise durability: they leave, in order, only when this work and all before it
   * are durable. Some may be addressed to this member itself: so a leader counts its own vote and
   * its own disk.
   */
  readonly sendAfter: readonly Message[];
}

export type Role = "follower" | "preCandidate" | "candidate" | "leader";

/** A place in the log; 0 and 0: none. */
export interface LogPoint {
  readonly index: number;
  readonly term: number;
}

/** A leader's log lacks an entry that is committed at a member: data on disk was lost. */
export interface Contradiction {
  /**
   * The member whose entries the leader lacks: at a follower this member itself, at the leader the
   * follower.
   */
  readonly member: bigint;
  /** The last committed entry of that member. */
  readonly committed: LogPoint;
  /** The end of the leader's log when the contradiction was found. */
  readonly leaderEnd: LogPoint;
}

export interface ReadState {
  readonly id: number;
  readonly index: number;
}

/** Work since the last `takeReady`. It belongs to the driver; the node keeps no reference. */
export interface Ready {
  /** Set when leader, role or term changed. */
  readonly softState:
    | { readonly leader: bigint; readonly role: Role; readonly term: number }
    | undefined;
  readonly readStates: readonly ReadState[];
  /**
   * Contradictions found since then. A leader reports each once a term, a follower once in its
   * life.
   */
  readonly contradictions: readonly Contradiction[];
  /** Messages that may leave at once, even before `append` is durable. */
  readonly send: readonly Message[];
  readonly append: AppendWork | undefined;
  /**
   * Committed and locally durable entries to apply, in order. All pages not yet answered by
   * `applied` hold together at most `applyBytesMax`, so a cut page is followed only after
   * `applied`.
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
  /**
   * The member's committed entries are not in the leader's log. The leader sends it nothing but
   * heartbeats, and ignores its acknowledgements.
   */
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
  /** What the leader knows of each member, ids ascending. Empty at other members. */
  readonly progress: ReadonlyMap<bigint, Progress>;
}

/**
 * Behaviours of etcd-io/raft that this store does not use. They exist so that its scenario files
 * can be run; all are off by default.
 */
export interface RaftVariants {
  /** Appends any conf change, even one that this node's configuration forbids. */
  readonly acceptAnyConfChange?: boolean;
  /** Answers reads from the leader's lease. Needs `checkQuorum` and clocks of the same rate. */
  readonly leaseReads?: boolean;
  /** Hands out committed entries to apply in the same Ready that appends them. */
  readonly applyBeforeDurable?: boolean;
}

/** The settings of a node. Number.MAX_SAFE_INTEGER lifts any limit. */
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
  /** The last index applied before this start. Entries up to here are not handed out again. */
  readonly appliedIndex: number;
  /**
   * True: a leader that is removed or demoted steps down at once. False (as in etcd): it continues
   * to lead without taking proposals, until the driver hands leadership over or stops it. False is
   * safer: the remaining voters may be too few to elect anyone before they learn that the removal
   * is committed.
   */
  readonly stepDownOnRemoval?: boolean;
  readonly variants?: RaftVariants;
}

export interface RaftNode {
  /** @throws ProposalDropped on `proposed`; InvariantViolation on an impossible input. */
  step(event: RaftEvent): void;
  /** The work since the last call. Undefined: there is nothing to do. */
  takeReady(): Ready | undefined;
  /**
   * Tells the node that a committed configuration change was applied (or, with undefined, was
   * found void and skipped). Call while applying the entry. Returns the resulting configuration.
   */
  applyConfChange(change: ConfChange | undefined): ConfState;
  status(): RaftStatus;
  /**
   * This member's id. This getter and the next ones are cheap parts of status, for the hot path.
   */
  id(): bigint;
  lastIndex(): number;
  leader(): bigint;
  term(): number;
  isLeader(): boolean;
  committedIndex(): number;
  /**
   * True if the leader's log may lack entries committed here, or no leader was heard in this life.
   */
  isDoubtful(): boolean;
}

/**
 * The node cannot take a proposal now: there is no leader, a transfer is in progress, too much is
 * uncommitted, or the leader is no longer a member. None of the event's entries was taken.
 */
export class ProposalDropped extends Error {
  override readonly name = "ProposalDropped";
  readonly reason: "noLeader" | "transferring" | "overloaded" | "removed";
  constructor(reason: "noLeader" | "transferring" | "overloaded" | "removed") {
    super(`raft proposal dropped: ${reason}`);
    this.reason = reason;
  }
}
