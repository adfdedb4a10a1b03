/**
 * What the replicated state machine takes and gives. Everything here is a pure function of the log.
 *
 * Revisions, counts, indexes and TTLs (seconds) are safe integers. Lease, member and cluster ids
 * are bigints (lease ids signed 64 bit, the others unsigned). A `KvBytes` is one mvccpb.KeyValue
 * exactly as etcd encodes it, ready to be spliced into an answer.
 */

import type { KvError } from "../base/errors.js";
import type { Bucket } from "../platform/rows.js";
import type { ConfChange, ConfState } from "../raft/types.js";
import type { EncodedRows } from "../wire/encoded-rows.js";
import type { RangeRequest, TxnRequest } from "../wire/gen/rpc.js";
import type { KeyRanges } from "./auth/key-ranges.js";
import type { AuthChange, AuthReader } from "./auth/types.js";
import type { Fingerprint } from "./fingerprint.js";

export type KvBytes = Uint8Array;

/** The only way to change replicated rows. It exists while one entry is applied. See machine.ts. */
export interface WriteHandle {
  /**
   * Reads a row, and sees this entry's own writes. @throws DamageError if the row fails its check
   * value
   */
  get(bucket: Bucket, key: Uint8Array): Uint8Array | undefined;
  put(bucket: Bucket, key: Uint8Array, value: Uint8Array): void;
  delete(bucket: Bucket, key: Uint8Array): void;
}

export interface RangeOutcome {
  readonly kind: "range";
  /** Empty if the rows are many: they are in `encoded` then. */
  readonly kvs: readonly KvBytes[];
  readonly encoded?: EncodedRows;
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
  /** Empty if they are many: they are in `encoded` then. */
  readonly prevKvs: readonly KvBytes[];
  readonly encoded?: EncodedRows;
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
  /**
   * True for a CORRUPT alarm that a verdict raised: only that member refuses its clients, and it
   * heals. Otherwise the alarm works as in etcd.
   */
  readonly isContained?: boolean;
}
export interface MemberRecord {
  readonly id: bigint;
  /** Empty until the member has started once. */
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
  readonly isLearner: boolean;
  /** The version of its build, like "3.6.0". Undefined: the member has not named it yet. */
  readonly serverVersion?: string | undefined;
  /** The incarnation with which the member first took part. Undefined: not named yet. */
  readonly incarnation?: bigint | undefined;
}

export type Outcome =
  | OpOutcome
  | { readonly kind: "compaction" }
  | { readonly kind: "leaseGrant"; readonly id: bigint; readonly ttl: number }
  | { readonly kind: "leaseRevoke"; readonly id: bigint }
  | { readonly kind: "alarm"; readonly alarms: readonly AlarmRecord[] }
  | {
      readonly kind: "members";
      readonly member: MemberRecord | undefined;
      readonly members: readonly MemberRecord[];
    }
  /** From this entry on the cluster has another version. */
  | { readonly kind: "clusterVersion"; readonly version: string }
  | {
      readonly kind: "verdict";
      readonly memberId: bigint;
      readonly verdict: "contained" | "cleared";
    }
  | { readonly kind: "auth"; readonly change: AuthChange }
  | { readonly kind: "none" };

/** All changes of one revision, in the order of their sub-revisions. */
export interface RevisionEvents {
  readonly revision: number;
  /** Empty if there is a `span`. */
  readonly events: readonly KvEvent[];
  /**
   * Set if the changes were too many to be handed out. They must be read from the store
   * (`history`); all lie in this span of keys. Latin-1 texts, `to` exclusive.
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
  /** The member and request that wait for the outcome; 0n and 0 if none does. */
  readonly proposer: bigint;
  readonly requestId: number;
  /** The current revision after this entry. */
  readonly revision: number;
  /** A KvError is an outcome, too: the entry changed nothing but the applied index. */
  readonly outcome: Outcome | KvError;
  /** The entry took effect, but the rows of its answer were too many to be gathered. */
  readonly isAnswerTooLarge?: boolean;
  /** Undefined when the key space did not change. */
  readonly events: RevisionEvents | undefined;
  /**
   * For a configuration-change entry: the change that raft must take. `change` undefined: the entry
   * is void, and raft skips it.
   */
  readonly conf: { readonly change: ConfChange | undefined } | undefined;
}

/**
 * The digest of one bucket: the sum modulo 2^256 of SHA-256 over its rows; 32 bytes, little-endian.
 */
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
  /** -1 before the first compaction, as etcd shows it here. */
  readonly compactRevision: number;
  readonly hashRevision: number;
}
/** A long computation in bounded pieces. Call `step` until it returns a result. */
export interface Job<T> {
  step(rowsMax: number): T | undefined;
}

/** A read that takes several turns. All of it is at the revision at which it began. */
export interface ReadJob<T> extends Job<T & { readonly revision: number }> {
  /** Bytes that the answer takes so far. */
  readonly bytes: number;
  /**
   * True if rows that it needs may be gone, by a compaction: it must begin anew, at a later
   * revision. If the request itself names the revision, the new job says that it is compacted.
   */
  isOutdated(): boolean;
}

/** A place in the history: `sub` counts the changes of one revision from 0. */
export interface HistoryPlace {
  readonly revision: number;
  readonly sub: number;
}
export interface HistoryOptions {
  readonly from: number;
  /** The first change wanted of revision `from`; absent: 0. */
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
  /**
   * Limits, filters and sorts as etcd does. @throws KvError compacted, futureRevision,
   * answerTooLarge
   */
  range(request: RangeRequest): RangeOutcome;
  /**
   * As `range`, in slices. With `isPage` the count may leave out keys behind the last row. With
   * `nowMs`, the monotonic time, rows of a range of many keys may be those that another range read
   * up to a second before. @throws KvError from step, as `range`
   */
  readRange(
    request: RangeRequest,
    way?: { readonly isPage?: boolean; readonly nowMs?: number },
  ): ReadJob<RangeOutcome>;
  /**
   * A transaction of ranges only, all at the current revision, which is part of the result. @throws
   * KvError compacted, futureRevision, answerTooLarge, each from step
   */
  readTxn(request: TxnRequest): ReadJob<TxnOutcome>;
  /**
   * The value of `key` as of `revision`: its newest version <= revision. Undefined: there is none,
   * or it is deleted.
   */
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

/** Leases as replicated: what was granted and which keys are attached. There is no clock here. */
export interface LeaseReader {
  get(
    id: bigint,
  ):
    | { readonly id: bigint; readonly grantedTtl: number; readonly remainingTtl: number }
    | undefined;
  /** The keys attached to a lease, sorted bytewise. */
  keys(id: bigint): readonly Uint8Array[];
  /** True if keys are attached to the lease. */
  hasKeys(id: bigint): boolean;
  /**
   * True if `ranges` holds all keys of the lease. Looks at one key for each range, however many keys
   * there are.
   */
  areKeysIn(id: bigint, ranges: KeyRanges): boolean;
  /**
   * The keys attached to a lease, in slices, encoded as field `keys` of LeaseTimeToLiveResponse.
   */
  keysJob(id: bigint): Job<Uint8Array>;
  /**
   * All leases, in slices, encoded as field `leases` of LeaseLeasesResponse, ascending by id.
   * `refusalOf` tells why a lease may not be listed. @throws that refusal, from step
   */
  idsJob(refusalOf: (id: bigint) => KvError | undefined): Job<Uint8Array>;
  all(): Iterable<{
    readonly id: bigint;
    readonly grantedTtl: number;
    readonly remainingTtl: number;
  }>;
}

export interface ClusterReader {
  readonly clusterId: bigint;
  /** The members, ascending by id. */
  members(): readonly MemberRecord[];
  member(id: bigint): MemberRecord | undefined;
  isRemoved(id: bigint): boolean;
  removed(): ReadonlySet<bigint>;
  /**
   * The cluster version, like "3.6.0"; empty until decided. cluster/version.ts says which rules
   * entries follow.
   */
  clusterVersion(): string;
  /** The version to which the members allow the cluster to rise now; undefined: none. */
  dueVersion(): string | undefined;
  /** Why no downgrade to this version can begin now. Undefined: it can. */
  downgradeRefusal(target: string): KvError | undefined;
  /**
   * The target of the downgrade in progress; it is the cluster version until the downgrade ends.
   */
  downgradeTarget(): string | undefined;
  /** True if all members run the target of the downgrade in progress. */
  isDowngradeComplete(): boolean;
}

/** The replicated state for parts that only read it. */
export interface MachineReader {
  readonly appliedIndex: number;
  readonly appliedTerm: number;
  readonly confState: ConfState;
  readonly kv: KvReader;
  readonly leases: LeaseReader;
  readonly cluster: ClusterReader;
  readonly auth: AuthReader;
  alarms(): readonly AlarmRecord[];
  digests(): Digests;
  fingerprint(): Fingerprint;
  /** Compares the rows with the tables in memory. Gives the buckets that disagree. See audit.ts. */
  audit(): Job<ReadonlySet<Bucket>>;
}
