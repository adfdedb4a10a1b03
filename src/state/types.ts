/**
 * What the replicated state machine takes and gives. Everything here is a pure function of the log.
 *
 * Revisions, counts, indexes and TTLs (seconds) are safe integers. Lease, member and cluster ids
 * are bigints (lease ids signed 64 bit, the others unsigned). A `KvBytes` is one mvccpb.KeyValue
 * exactly as etcd encodes it, ready to be spliced into an answer.
 */

import type { KvError } from "../base/errors.js";
import type { Bucket } from "../platform/rows.js";
import type { ConfChange, ConfState, Entry } from "../raft/types.js";
import type { RangeRequest, TxnRequest } from "../wire/gen/rpc.js";
import type { Fingerprint } from "./fingerprint.js";

export type KvBytes = Uint8Array;

/** The only way to change replicated rows; exists while one entry is applied. See machine.ts. */
export interface WriteHandle {
  /** Sees this entry's own writes. @throws DamageError if the row fails its check value. */
  get(bucket: Bucket, key: Uint8Array): Uint8Array | undefined;
  put(bucket: Bucket, key: Uint8Array, value: Uint8Array): void;
  delete(bucket: Bucket, key: Uint8Array): void;
}

export interface RangeOutcome {
  readonly kind: "range";
  readonly kvs: readonly KvBytes[];
  readonly more: boolean;
  readonly count: number;
}
export interface PutOutcome {
  readonly kind: "put";
  readonly prevKv: KvBytes | undefined;
}
export interface DeleteRangeOutcome {
  readonly kind: "deleteRange";
  readonly deleted: number;
  readonly prevKvs: readonly KvBytes[];
}
export interface TxnOutcome {
  readonly kind: "txn";
  readonly succeeded: boolean;
  /** `revision` is what the nested header shows (etcd fills only that field). */
  readonly responses: readonly { readonly revision: number; readonly outcome: OpOutcome }[];
}
export type OpOutcome = RangeOutcome | PutOutcome | DeleteRangeOutcome | TxnOutcome;

export interface AlarmRecord {
  readonly memberId: bigint;
  readonly alarm: "NOSPACE" | "CORRUPT";
  /** CORRUPT by a verdict: that member alone refuses its clients, and heals. Else as in etcd. */
  readonly isContained?: boolean;
}
export interface MemberRecord {
  readonly id: bigint;
  /** Empty until the member has started once. */
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
  readonly isLearner: boolean;
  /** Of the build that it runs, "3.6.0"; undefined until it has said so. */
  readonly serverVersion?: string | undefined;
  /** Of the log with which it first took part; undefined until it has said so. */
  readonly incarnation?: bigint | undefined;
}

export type Outcome =
  | OpOutcome
  | { readonly kind: "compaction" }
  | { readonly kind: "leaseGrant"; readonly id: bigint; readonly ttl: number }
  | { readonly kind: "leaseRevoke" }
  | { readonly kind: "alarm"; readonly alarms: readonly AlarmRecord[] }
  | {
      readonly kind: "members";
      readonly member: MemberRecord | undefined;
      readonly members: readonly MemberRecord[];
    }
  /** The cluster's version is another one from this entry on. */
  | { readonly kind: "clusterVersion"; readonly version: string }
  | {
      readonly kind: "verdict";
      readonly memberId: bigint;
      readonly verdict: "contained" | "cleared";
    }
  | { readonly kind: "none" };

/** All changes of one revision, in the order of their sub-revisions. */
export interface RevisionEvents {
  readonly revision: number;
  /** Empty if there is a `span`. */
  readonly events: readonly KvEvent[];
  /**
   * The changes were too many to be handed out, and are read from the store (`history`): all lie in
   * this span of keys. Latin-1 texts, `to` exclusive.
   */
  readonly span?: { readonly from: string; readonly to: string };
}
export interface KvEvent {
  readonly type: "put" | "delete";
  readonly key: Uint8Array;
  /** For a delete: a KeyValue with key and mod_revision only, as etcd sends it. */
  readonly kv: KvBytes;
  /** For a put: true when it created the key. */
  readonly isCreate: boolean;
}

export interface Applied {
  readonly index: number;
  /** Who waits: 0n and 0 when nobody. */
  readonly proposer: bigint;
  readonly requestId: number;
  /** Current revision after this entry. */
  readonly revision: number;
  /** A KvError is an outcome too: the entry changed nothing but the applied index. */
  readonly outcome: Outcome | KvError;
  /** The entry changed what it had to, but the rows of its answer were too many to be gathered. */
  readonly isAnswerTooLarge?: boolean;
  /** Undefined when the key space did not change. */
  readonly events: RevisionEvents | undefined;
  /** For a configuration-change entry: what to tell raft; `change` undefined: void, skip it. */
  readonly conf: { readonly change: ConfChange | undefined } | undefined;
}

/** Digest of one bucket: sum modulo 2^256 of SHA-256 over its rows; 32 bytes, little-endian. */
export type BucketDigest = Uint8Array;
export interface Digests {
  readonly version: number;
  readonly index: number;
  readonly term: number;
  readonly buckets: ReadonlyMap<Bucket, BucketDigest>;
  /** SHA-256 over all of the above, revision and compact revision. */
  readonly root: Uint8Array;
}

export interface HashKv {
  readonly hash: number;
  /** -1 before the first compaction: here etcd shows it. */
  readonly compactRevision: number;
  readonly hashRevision: number;
}
/** A long computation in bounded pieces; call `step` until it returns a result. */
export interface Job<T> {
  step(rowsMax: number): T | undefined;
}

/** How an entry is to be applied: nothing of this changes what it does to the state. */
export interface ApplyWay {
  /** Of work before the first pause, see work.ts. */
  readonly units: number;
  /** False: nobody waits for its answer here, and the rows that it would show are not gathered. */
  isAnswerWanted(request: Pick<Applied, "proposer" | "requestId">): boolean;
  /** An entry with more changes tells only their span of keys, not each event. */
  readonly eventsMax: number;
}

/** An entry that is being applied: nothing of it can be read before its last step. */
export interface OpenEntry {
  readonly index: number;
  /** Goes on for that much work; the result of the entry after the last step. Throws as `apply`. */
  step(units: number): Applied | undefined;
}

/** A change: `sub` counts those of one revision from 0. */
export interface HistoryPlace {
  readonly revision: number;
  readonly sub: number;
}
export interface HistoryOptions {
  readonly from: number;
  /** The first change wanted of `from`; absent: 0. */
  readonly fromSub?: number;
  readonly to: number;
  readonly revisionsMax: number;
  /** Absent: no limit. */
  readonly eventsMax?: number;
}

/** Reads of the key space; all at the state after the last applied entry. */
export interface KvReader {
  /** 1 when nothing was ever written. */
  revision(): number;
  /** The last compaction's revision; 0 before the first. */
  compactRevision(): number;
  /** Physical compaction is complete up to here. */
  finishedCompactRevision(): number;
  /** Limits, filters, sort as etcd. @throws KvError compacted, futureRevision, answerTooLarge */
  range(request: RangeRequest): RangeOutcome;
  /**
   * A transaction of ranges only, all at the revision of this moment, which it tells.
   * @throws KvError compacted, futureRevision, answerTooLarge, each from step
   */
  readTxn(request: TxnRequest): Job<TxnOutcome & { readonly revision: number }>;
  /** The value of `key` as of `revision` (its newest version <= revision), undefined: none or deleted. */
  kvAt(key: Uint8Array, revision: number): KvBytes | undefined;
  /**
   * All changes with from <= revision < to in order, for watch catch-up; stops after `revisionsMax`
   * revisions, or in the middle of one after `eventsMax` changes. Returns the first place not visited.
   * @throws KvError compacted when `from` is below the compact revision.
   */
  history(options: HistoryOptions, visit: (events: RevisionEvents) => void): HistoryPlace;
  /** etcd's HashKV at `revision` (0: current). @throws KvError compacted, futureRevision, also from step. */
  hashKv(revision: number): Job<HashKv>;
  /** Hashes of the last compactions, newest first: see mvcc/compaction-hash.ts. */
  compactions(): readonly HashKv[];
  keyCount(): number;
}

/** Leases as replicated: what was granted and which keys hang on it. No clock here. */
export interface LeaseReader {
  get(
    id: bigint,
  ):
    | { readonly id: bigint; readonly grantedTtl: number; readonly remainingTtl: number }
    | undefined;
  /** Keys attached, sorted bytewise. */
  keys(id: bigint): readonly Uint8Array[];
  all(): Iterable<{
    readonly id: bigint;
    readonly grantedTtl: number;
    readonly remainingTtl: number;
  }>;
}

export interface ClusterReader {
  readonly clusterId: bigint;
  /** Ascending by id. */
  members(): readonly MemberRecord[];
  member(id: bigint): MemberRecord | undefined;
  isRemoved(id: bigint): boolean;
  removed(): ReadonlySet<bigint>;
  /** "3.6.0"; empty until decided. What semantics entries have: see cluster/version.ts. */
  clusterVersion(): string;
  /** The version that the members allow the cluster to rise to now; undefined: none. */
  dueVersion(): string | undefined;
  /** Why no downgrade to this version can begin now. */
  downgradeRefusal(target: string): KvError | undefined;
  /** The version that a downgrade in progress leads to: the cluster's, until it ends. */
  downgradeTarget(): string | undefined;
  /** All members run the target of the downgrade in progress. */
  isDowngradeComplete(): boolean;
}

/** The replicated state for all who only read it. */
export interface MachineReader {
  readonly appliedIndex: number;
  readonly appliedTerm: number;
  readonly confState: ConfState;
  readonly kv: KvReader;
  readonly leases: LeaseReader;
  readonly cluster: ClusterReader;
  alarms(): readonly AlarmRecord[];
  digests(): Digests;
  fingerprint(): Fingerprint;
  /** Holds the rows against the tables in memory: the buckets that disagree. See audit.ts. */
  audit(): Job<ReadonlySet<Bucket>>;
}

/** The law in the types: who holds this may change the state. That is who applies the log, and boot. */
export interface Machine extends MachineReader {
  /** Applies the entry after `appliedIndex`. Only an InvariantViolation or DamageError is thrown. */
  apply(entry: Entry): Applied;
  /**
   * The same in slices: does the first, and if that was not all, gives the entry to go on with. Until
   * its last step everything here shows the state before it. Nothing else may be applied meanwhile;
   * an entry that is not taken to its end leaves a machine that is of no more use for `apply` (its
   * reads and its backend are those of the state before).
   */
  begin(entry: Entry, way: ApplyWay): Applied | OpenEntry;
  /**
   * A new member's first state, before any entry: index and term of the bootstrap snapshot, the
   * configuration and the members. Only on an empty backend.
   */
  bootstrap(state: {
    readonly clusterId: bigint;
    readonly members: readonly MemberRecord[];
    readonly index: number;
    readonly term: number;
    /** Ids that may never come back; none at a founding. */
    readonly removed?: ReadonlySet<bigint>;
    /** Empty at a founding. */
    readonly clusterVersion?: string;
  }): void;
}
