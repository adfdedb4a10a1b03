/** A member's configuration. Durations are in milliseconds, sizes in bytes. */

import type { EtcdCheckConfig } from "../integrity/etcd-checks/etcd-checks.js";
import type { JobLimits } from "../storage/jobs.js";
import type { AutoCompactionConfig } from "./jobs/auto-compaction.js";
import type { MemberLimits } from "./types.js";

/** The etcd version whose behaviour this build implements. */
export const serverVersion = "3.6.0";

/** How the work of large entries is divided into turns. None of it changes what an entry does. */
export interface ApplyLimits {
  /** Units of work (state/work.ts) in one slice, before the applier looks at the clock again. */
  readonly sliceUnits: number;
  /** How long one turn may work on an entry. 0: one slice. */
  readonly turnMs: number;
  /** The pause between two turns of one entry; it lets time pass in the simulator. 0: no pause. */
  readonly pauseMs: number;
  /**
   * An entry with at most this many changes hands its events to the watchers directly. The events
   * of a larger one are read from the store.
   */
  readonly eventsMax: number;
}

export interface AuthConfig {
  /** 4..31; each step doubles the time that a password takes. */
  readonly bcryptCost: number;
  /** How long a token lives: a simple one from its last use, a signed one from its login. */
  readonly tokenTtlMs: number;
  /** True if the common name of a client's certificate names the user. */
  readonly usesCertificates: boolean;
}

export interface MemberConfig {
  readonly name: string;
  /** Every founding member, this one included. The order does not matter. */
  readonly initialCluster: readonly {
    readonly name: string;
    readonly peerUrls: readonly string[];
  }[];
  /** "existing": learn the ids from the running members instead of computing them. */
  readonly initialClusterState: "new" | "existing";
  readonly initialClusterToken: string;
  readonly advertisePeerUrls: readonly string[];
  readonly advertiseClientUrls: readonly string[];
  readonly heartbeatMs: number;
  readonly electionMs: number;
  readonly preVote: boolean;
  readonly strictReconfigCheck: boolean;
  /** A restart makes this member the only voter: see startup/only-voter.ts. */
  readonly forcesNewCluster?: boolean;
  readonly learnersMax: number;
  /** Applied entries between two compactions of the raft log. */
  readonly snapshotCount: number;
  /** Entries that a compaction keeps for followers that lag a little. */
  readonly snapshotCatchupEntries: number;
  readonly backendBatchMs: number;
  /** Applied entries that force a backend commit before `backendBatchMs` has passed. */
  readonly backendBatchLimit: number;
  /** Rows that one step of a compaction looks at. */
  readonly compactionBatchLimit: number;
  readonly compactionSleepMs: number;
  /** What the leader compacts by itself. */
  readonly autoCompaction: AutoCompactionConfig;
  readonly walSegmentBytes: number;
  /**
   * Time between the starts of two scrubs of all data at rest. 0: a scrub starts only on request.
   */
  readonly scrubIntervalMs: number;
  /** The most bytes that a scrub reads in a second. */
  readonly scrubBytesPerSecond: number;
  /** What a corrupted member stops: itself, or the whole cluster as in etcd. */
  readonly corruptScope: "member" | "cluster";
  /** Who ends the alarm NOSPACE: the leader, when all members have space again, or an operator. */
  readonly nospaceEnd: "automatic" | "manual";
  /** etcd's own corruption checks. Lockstep's own checks are always on. */
  readonly etcdChecks: EtcdCheckConfig;
  /** The version that this member says it runs. Only the simulator sets another one. */
  readonly serverVersion: string;
  readonly auth: AuthConfig;
  readonly limits: MemberLimits;
  readonly apply: ApplyLimits;
  /** How long work is divided into turns, see storage/jobs.ts. */
  readonly jobs: JobLimits;
}

/** etcd's defaults, where etcd has the setting. */
export const defaultMemberConfig = {
  initialClusterState: "new",
  initialClusterToken: "etcd-cluster",
  heartbeatMs: 100,
  electionMs: 1000,
  preVote: true,
  strictReconfigCheck: true,
  learnersMax: 1,
  snapshotCount: 10_000,
  snapshotCatchupEntries: 5_000,
  backendBatchMs: 100,
  backendBatchLimit: 10_000,
  compactionBatchLimit: 1_000,
  compactionSleepMs: 10,
  autoCompaction: { mode: "periodic", retention: 0, revisionLookMs: 300_000 },
  walSegmentBytes: 16 * 1024 * 1024,
  scrubIntervalMs: 86_400_000,
  scrubBytesPerSecond: 32 * 1024 * 1024,
  corruptScope: "member",
  nospaceEnd: "automatic",
  etcdChecks: { initial: false, periodicMs: 0, compactHash: false, compactHashMs: 60_000 },
  serverVersion,
  auth: { bcryptCost: 10, tokenTtlMs: 300_000, usesCertificates: false },
  limits: {
    requestBytesMax: 1_572_864,
    txnOpsMax: 128,
    quotaBytes: 2 * 1024 * 1024 * 1024,
    progressNotifyMs: 600_000,
  },
  apply: { sliceUnits: 256, turnMs: 4, pauseMs: 0, eventsMax: 10_000 },
  jobs: { stepUnits: 128, turnMs: 2.5 },
} as const;

/** etcd's ReqTimeout in milliseconds: the limit for a proposal, a read or a forwarded request. */
export function requestTimeoutMs(config: MemberConfig): number {
  return 5_000 + 2 * config.electionMs;
}

/** Bounds on what a leader sends ahead of acknowledgements, and on what it keeps back. */
export const raftLimits = {
  messageBytesMax: 1024 * 1024,
  inflightMessagesMax: 512,
  inflightBytesMax: 64 * 1024 * 1024,
  uncommittedBytesMax: 256 * 1024 * 1024,
  applyBytesMax: 1024 * 1024,
} as const;
