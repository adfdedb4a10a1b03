/**
 * A member as its services see it. It uses callbacks, not promises: each is called exactly once,
 * possibly inside the call, with a value or a KvError. All reads of `machine` see applied state.
 */

import type { Authenticator } from "../auth/authenticator.js";
import type { Done } from "../base/done.js";
import type { KvError } from "../base/errors.js";
import type { PeerView } from "../integrity/comparison.js";
import type { OwnDivergence } from "../integrity/divergence/divergence.js";
import type { Incident } from "../integrity/incidents/incident.js";
import type { Quarantine } from "../integrity/quarantine-file.js";
import type { HistogramSample, MetricSample } from "../metrics/sample.js";
import type {
  Applied,
  HashKv,
  MachineReader,
  MemberRecord,
  RangeOutcome,
  TxnOutcome,
} from "../state/types.js";
import type { WatchHub } from "../state/watch/hub.js";
import type { RangeRequest, TxnRequest } from "../wire/gen/rpc.js";
import type { LeaseTimes } from "../wire/time-to-live.js";
import type { Client, ReadRequest, WriteRequest } from "./gate/requests.js";
import type { Page, QueueingRpc, ReadingRpc, Rpc, WritingRpc } from "./gate/table.js";
import type { AutoCompactionStatus } from "./jobs/auto-compaction.js";
import type { OperationCounts } from "./operation-counts.js";

/**
 * A consistent state as a stream: the bytes of etcd's backend file. The number of open streams is bounded, and so is the life of each.
 */
export interface SnapshotStream {
  readonly totalBytes: number;
  /** etcd's storage version, as "3.6.0"; empty until the cluster has decided its version. */
  readonly version: string;
  /** Chunks in order, undefined at the end. An error: the stream has ended early. */
  next(): Uint8Array | KvError | undefined;
  /** Calls `fn` when it is this stream's turn among all long work; it may take one chunk then. */
  takeTurn(fn: () => void): void;
  /** Call when the client has taken a chunk; keeps the stream from ending as too slow. */
  touch(): void;
  /** Calls `fn` if the stream ends early, because the client is slow or the state is wrong. */
  onEnd(fn: (error: KvError) => void): void;
  /** Releases the state. A second call does nothing. */
  close(): void;
}

/** The client for which long work is done. */
export interface ReadClient {
  /** Calls `fn` once, when the client goes away or its deadline passes. */
  onCancel(fn: () => void): void;
  /**
   * Identifies the client's connection, because connections take turns. Undefined: the client
   * itself takes turns.
   */
  readonly connection?: object | undefined;
}

/** The answer to a read. It counts against the memory for answers until it is sent or closed. */
export interface ReadAnswer<T> {
  readonly outcome: T;
  /** The revision that the answer shows. */
  readonly revision: number;
  /** Call when the client has taken so many bytes of the answer. */
  sent(bytes: number): void;
  /** Call when the answer is no longer in memory. A second call does nothing. */
  close(): void;
  /** Calls `fn` if the answer must be given up before it is sent. It counts as closed then. */
  onEnd(fn: (reason: KvError) => void): void;
}

export interface MemberLimits {
  /** Bytes of the largest encoded request. A larger one is refused with requestTooLarge. */
  readonly requestBytesMax: number;
  readonly txnOpsMax: number;
  /** Backend bytes at which the NOSPACE alarm is raised; 0: no limit. */
  readonly quotaBytes: number;
  readonly progressNotifyMs: number;
}

/** What RPC Status and the metrics say about a member. Sizes are in bytes. */
export interface MemberStatus {
  readonly version: string;
  readonly leader: bigint;
  readonly raftIndex: number;
  readonly raftTerm: number;
  readonly appliedIndex: number;
  readonly dbSize: number;
  readonly dbSizeInUse: number;
  readonly isLearner: boolean;
  /** The cluster version; empty until decided. */
  readonly storageVersion: string;
  /** The last index at which another member's state equalled this member's; 0: none yet. */
  readonly verifiedIndex: number;
  /** The target of the downgrade in progress; undefined: none is. */
  readonly downgradeTarget: string | undefined;
  readonly quotaBytes: number;
  readonly errors: readonly string[];
}

/** What this member knows of its own state and of the other members' states. */
export interface MemberIntegrity {
  readonly digestVersion: number;
  /** As in MemberStatus. */
  readonly verifiedIndex: number;
  /** Undefined: this member serves. */
  readonly quarantine: Quarantine | undefined;
  /**
   * Undefined: as far as this member knows, the leader's log has everything that is committed here.
   */
  readonly divergence: OwnDivergence | undefined;
  /** Oldest first. */
  readonly incidents: readonly Incident[];
  /** Undefined: automatic compaction is off. */
  readonly autoCompaction?: AutoCompactionStatus | undefined;
  /** How another member's state compared with this member's when last seen. */
  peer(id: bigint): PeerView;
}

export interface Member {
  readonly id: bigint;
  readonly limits: MemberLimits;
  readonly machine: MachineReader;
  readonly watch: WatchHub;
  /** Tells who calls. What a caller may do is in `machine.auth`. */
  readonly authenticator: Pick<
    Authenticator,
    "callerOf" | "login" | "hash" | "onChange" | "usesCertificates"
  >;
  /** Header fields of answers; the revision comes from `machine`. */
  readonly clusterId: bigint;
  /** Counts what this member does for clients: the service that serves them reports it here. */
  readonly operations: Pick<OperationCounts, "begin" | "readEnded" | "healthAsked" | "called">;
  term(): number;
  leader(): bigint;
  isLearner(): boolean;
  /** True once the member serves: its log is replayed and it has published itself. */
  isReady(): boolean;
  /** Calls `fn` when isReady becomes true, at once if it is. */
  onReady(fn: () => void): void;
  /** Calls `fn` when the member stops by itself: removed, failed disk, violated invariant. */
  onStopped(
    fn: (cause: { readonly removed: boolean; readonly error: Error | undefined }) => void,
  ): void;

  /**
   * Call when an RPC arrives, before its message is decoded. Undefined: it may go on. The rules of
   * admission stand in gate/table.ts.
   */
  admit(rpc: Rpc, client: Client): KvError | undefined;
  /**
   * Call when a message of a stream must wait. `waiting` counts the messages of that stream that
   * wait, with this one. Undefined: it may.
   */
  admitWaiting(rpc: QueueingRpc, waiting: number): KvError | undefined;
  admitPage(page: Page): KvError | undefined;
  /**
   * Calls `done` without an error when this request may read `machine`, at once within that call. The
   * read is linearizable unless the request is local.
   */
  read(rpc: ReadingRpc, request: ReadRequest, done: Done<void>): void;
  /** Replicates one request whose form the service has checked. `done` gets its outcome. */
  write(rpc: WritingRpc, request: WriteRequest, done: Done<Applied>): void;
  /**
   * Reads a range of applied state, in slices while others are served. Call it inside `done` of
   * `read`. What the client does not read at once counts against the memory for answers. With
   * `isPage` the count may leave out keys behind the last row.
   */
  readRange(
    request: RangeRequest,
    client: ReadClient,
    done: Done<ReadAnswer<RangeOutcome>>,
    isPage?: boolean,
  ): void;
  /** Counts an answer that waits for its client; see Reads.hold. */
  holdAnswer(
    bytes: number,
    ended: (reason: KvError) => void,
  ): Pick<ReadAnswer<unknown>, "sent" | "close">;
  /** The same for a transaction of ranges only, all at one revision. */
  readTxn(request: TxnRequest, client: ReadClient, done: Done<ReadAnswer<TxnOutcome>>): void;
  /**
   * A read barrier for the pages that tell whether the member is healthy. When `done` is called
   * without an error, this member has applied everything that was committed before.
   */
  readBarrier(done: Done<void>): void;
  /** Why clients may not read this member's state. Undefined: they may. */
  integrityRefusal(): KvError | undefined;
  /**
   * Takes what the handling of one request threw, and returns the request's answer. Damage and a
   * broken invariant stop the member or its state. Any other error fails only this request, and is
   * logged.
   */
  requestFailed(error: unknown): KvError;

  /**
   * Compacts up to a revision. With `physical`, `done` waits until the superseded rows are removed.
   */
  compact(
    client: Client,
    of: { readonly revision: number; readonly physical: boolean },
    done: Done<number>,
  ): void;

  /** `ttl` in seconds; id 0n: any free id. */
  leaseGrant(
    client: Client,
    of: { readonly id: bigint; readonly ttl: number },
    done: Done<{ readonly id: bigint; readonly ttl: number; readonly revision: number }>,
  ): void;
  /** Renews a lease; a follower asks the leader. `ttl` in seconds; 0: there is no such lease. */
  leaseKeepAlive(client: Client, id: bigint, done: Done<{ readonly ttl: number }>): void;
  /** Seconds left of a lease; a follower asks the leader. `ttl` -1: there is no such lease. */
  leaseTimeToLive(
    client: Client,
    of: { readonly id: bigint; readonly withKeys: boolean },
    done: Done<LeaseTimes>,
  ): void;
  /**
   * The leases that this member has applied, ascending by id: field `leases` of LeaseLeasesResponse,
   * encoded. `refusalOf` is asked for each of them, in turns, why it may not be listed; the first
   * refusal is the result.
   */
  leaseList(
    client: ReadClient,
    refusalOf: (id: bigint) => KvError | undefined,
    done: Done<Uint8Array>,
  ): void;

  memberAdd(
    client: Client,
    of: { readonly peerUrls: readonly string[]; readonly isLearner: boolean },
    done: Done<{ readonly member: MemberRecord; readonly members: readonly MemberRecord[] }>,
  ): void;
  memberRemove(client: Client, id: bigint, done: Done<readonly MemberRecord[]>): void;
  memberUpdate(
    client: Client,
    of: { readonly id: bigint; readonly peerUrls: readonly string[] },
    done: Done<readonly MemberRecord[]>,
  ): void;
  memberPromote(client: Client, id: bigint, done: Done<readonly MemberRecord[]>): void;

  status(): MemberStatus;
  integrity(): MemberIntegrity;
  /**
   * Computes etcd's HashKV at `revision`; 0: the current one. Error compacted, futureRevision or
   * corrupt.
   */
  hashKv(
    revision: number,
    done: Done<HashKv & { readonly currentRevision: number }>,
    client?: ReadClient,
  ): void;
  /** CRC-32C over all buckets; for tests. */
  hash(done: Done<number>, client?: ReadClient): void;
  defragment(done: Done<void>): void;
  moveLeader(to: bigint, done: Done<void>): void;
  openSnapshot(done: Done<SnapshotStream>, client?: ReadClient): void;

  metrics(): readonly (MetricSample | HistogramSample)[];
  /** Hands leadership over, stops serving, flushes and closes. Then calls `done`. */
  stop(done: () => void): void;
}
