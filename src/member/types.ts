/**
 * A member as its services see it. Callbacks, not promises: each is called exactly once, possibly
 * inside the call, with a value or a KvError. All reads of `machine` are of applied state.
 */
import type { Done } from "../base/done.js";
import type { KvError } from "../base/errors.js";
import type { PeerView } from "../integrity/comparison.js";
import type { OwnDivergence } from "../integrity/divergence/divergence.js";
import type { Incident } from "../integrity/incidents/incident.js";
import type { Quarantine } from "../integrity/quarantine-file.js";
import type { HistogramSample, MetricSample } from "../metrics/sample.js";
import type { WatchHub } from "../state/mvcc/watch-hub.js";
import type { Applied, HashKv, MachineReader, MemberRecord, TxnOutcome } from "../state/types.js";
import type { TxnRequest } from "../wire/gen/rpc.js";
import type { Proposal } from "../wire/proposal.js";

/**
 * The backend as a stream: every row of a consistent state, in the snapshot format of
 * docs/formats.md. There is a bounded number of them, each for a bounded time.
 */
export interface SnapshotStream {
  readonly totalBytes: number;
  /** Chunks in order, undefined at the end; an error: there is no more. */
  next(): Uint8Array | KvError | undefined;
  /** The client has taken something. */
  touch(): void;
  /** `fn` is told when the member lets go of the state before the end, because the client is slow or the state wrong. */
  onEnd(fn: (error: KvError) => void): void;
  /** Lets go of the state; again: nothing. */
  close(): void;
}

export interface MemberLimits {
  /** Largest encoded request; beyond: requestTooLarge. */
  readonly requestBytesMax: number;
  readonly txnOpsMax: number;
  /** Backend bytes before NOSPACE; 0: no limit. */
  readonly quotaBytes: number;
  readonly progressNotifyMs: number;
}

export interface MemberStatus {
  readonly version: string;
  readonly leader: bigint;
  readonly raftIndex: number;
  readonly raftTerm: number;
  readonly appliedIndex: number;
  readonly dbSize: number;
  readonly dbSizeInUse: number;
  readonly isLearner: boolean;
  /** The cluster's version; empty until decided. */
  readonly storageVersion: string;
  /** The last index at which another member's state was seen to equal ours; 0: none. */
  readonly verifiedIndex: number;
  /** Of the downgrade in progress, if there is one. */
  readonly downgradeTarget: string | undefined;
  readonly quotaBytes: number;
  readonly errors: readonly string[];
}

/** What this member knows of its own state and of the others'. */
export interface MemberIntegrity {
  readonly digestVersion: number;
  /** As in MemberStatus. */
  readonly verifiedIndex: number;
  /** Undefined: this member serves. */
  readonly quarantine: Quarantine | undefined;
  /** Undefined: the leader's log has what is committed here, as far as is known. */
  readonly divergence: OwnDivergence | undefined;
  /** Oldest first. */
  readonly incidents: readonly Incident[];
  /** How another member's state compares with ours, as last seen. */
  peer(id: bigint): PeerView;
}

export interface Member {
  readonly id: bigint;
  readonly limits: MemberLimits;
  readonly machine: MachineReader;
  readonly watch: WatchHub;
  /** Header fields; `revision` is the current one. */
  readonly clusterId: bigint;
  term(): number;
  leader(): bigint;
  isLearner(): boolean;
  /** True once the member serves: its log is replayed and it has published itself. */
  isReady(): boolean;
  /** Calls `fn` when isReady becomes true (at once if it is). */
  onReady(fn: () => void): void;
  /** Calls `fn` when the member stops by itself: removed, failed disk, violated invariant. */
  onStopped(
    fn: (cause: { readonly removed: boolean; readonly error: Error | undefined }) => void,
  ): void;

  /**
   * Replicates one request. Checks of form are the service's; quota, size and back-pressure are
   * checked here. The result's outcome may itself be a KvError: it is passed as the KvError.
   */
  propose(request: Proposal, done: Done<Applied>): void;
  /** After it, reads of `machine` are linearizable. */
  readBarrier(done: Done<void>): void;
  /** A transaction of ranges only, at the revision of this moment, which it tells. */
  readTxn(request: TxnRequest, done: Done<TxnOutcome & { readonly revision: number }>): void;
  /** For reads of applied state without a barrier: waits while our state is in doubt. */
  whenSure(done: Done<void>): void;
  /** Why this member answers no clients at all: it stops, or its state is wrong. Undefined: it does. */
  refusal(): KvError | undefined;
  /** It answers nothing any more, and what it answered from is closed soon or already. */
  isStopping(): boolean;
  /**
   * Takes what the handling of one request threw, and returns what that request is answered. Damage and
   * a broken invariant stop the member, any other error costs this request and is logged.
   */
  requestFailed(error: unknown): KvError;

  /** Ends after the physical compaction when `physical`. */
  compact(revision: number, physical: boolean, done: Done<number>): void;

  leaseGrant(
    id: bigint,
    ttl: number,
    done: Done<{ readonly id: bigint; readonly ttl: number; readonly revision: number }>,
  ): void;
  /** ttl 0: no such lease. Goes to the leader if we are not. */
  leaseKeepAlive(id: bigint, done: Done<{ readonly ttl: number }>): void;
  /** ttl -1: no such lease. Goes to the leader if we are not. */
  leaseTimeToLive(
    id: bigint,
    withKeys: boolean,
    done: Done<{
      readonly ttl: number;
      readonly grantedTtl: number;
      readonly keys: readonly Uint8Array[];
    }>,
  ): void;

  memberAdd(
    peerUrls: readonly string[],
    isLearner: boolean,
    done: Done<{ readonly member: MemberRecord; readonly members: readonly MemberRecord[] }>,
  ): void;
  memberRemove(id: bigint, done: Done<readonly MemberRecord[]>): void;
  memberUpdate(id: bigint, peerUrls: readonly string[], done: Done<readonly MemberRecord[]>): void;
  memberPromote(id: bigint, done: Done<readonly MemberRecord[]>): void;

  status(): MemberStatus;
  integrity(): MemberIntegrity;
  hashKv(revision: number, done: Done<HashKv & { readonly currentRevision: number }>): void;
  /** CRC-32C over all buckets; for tests. */
  hash(done: Done<number>): void;
  defragment(done: Done<void>): void;
  moveLeader(to: bigint, done: Done<void>): void;
  openSnapshot(done: Done<SnapshotStream>): void;

  metrics(): readonly (MetricSample | HistogramSample)[];
  /** Hands leadership over, stops serving, flushes, closes. */
  stop(done: () => void): void;
}
