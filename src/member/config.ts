/** What a member is told at its start. Durations in milliseconds, sizes in bytes. */
import type { EtcdCheckConfig } from "../integrity/etcd-checks/etcd-checks.js";
import type { MemberLimits } from "./types.js";

/** etcd's version whose behaviour this build implements. */
export const serverVersion = "3.6.0";

/** How the work of large entries is divided; nothing of it changes what an entry does. */
export interface ApplyLimits {
  /** Work (see state/work.ts) between two looks at the clock. */
  readonly sliceUnits: number;
  /** A turn goes on with an entry for so long; 0: one slice. */
  readonly turnMs: number;
  /** Between two turns, so that time passes in the simulator, too; 0: none but what else is due. */
  readonly pauseMs: number;
  /** Changes of one entry whose events are handed to watchers; more are read from the store. */
  readonly eventsMax: number;
}

export interface MemberConfig {
  readonly name: string;
  /** Every founding member, ourselves included; order does not matter. */
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
  readonly learnersMax: number;
  /** Applied entries between two compactions of the raft log. */
  readonly snapshotCount: number;
  /** Entries kept behind a compaction for followers that lag a little. */
  readonly snapshotCatchupEntries: number;
  readonly backendBatchMs: number;
  /** Applied entries that force a backend commit before `backendBatchMs` has passed. */
  readonly backendBatchLimit: number;
  /** Rows that one step of a compaction looks at. */
  readonly compactionBatchLimit: number;
  readonly compactionSleepMs: number;
  readonly walSegmentBytes: number;
  /** Time between the starts of two scrubs of all data at rest; 0: none by itself. */
  readonly scrubIntervalMs: number;
  /** What a scrub reads at most. */
  readonly scrubBytesPerSecond: number;
  /** Whom a wrong state of one member stops: that member, or as in etcd the whole cluster. */
  readonly corruptScope: "member" | "cluster";
  /** etcd's own corruption checks; ours are always on. */
  readonly etcdChecks: EtcdCheckConfig;
  /** The version that this member says it runs; only the simulator has members of several. */
  readonly serverVersion: string;
  readonly limits: MemberLimits;
  readonly apply: ApplyLimits;
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
  walSegmentBytes: 16 * 1024 * 1024,
  scrubIntervalMs: 86_400_000,
  scrubBytesPerSecond: 32 * 1024 * 1024,
  corruptScope: "member",
  etcdChecks: { initial: false, periodicMs: 0, compactHash: false, compactHashMs: 60_000 },
  serverVersion,
  limits: {
    requestBytesMax: 1_572_864,
    txnOpsMax: 128,
    quotaBytes: 2 * 1024 * 1024 * 1024,
    progressNotifyMs: 600_000,
  },
  apply: { sliceUnits: 256, turnMs: 4, pauseMs: 0, eventsMax: 10_000 },
} as const;

/** etcd's ReqTimeout: how long a proposal, a read or a forwarded request may take. */
export function requestTimeoutMs(config: MemberConfig): number {
  return 5_000 + 2 * config.electionMs;
}

/** Bounds on what a leader sends ahead and holds back. */
export const raftLimits = {
  messageBytesMax: 1024 * 1024,
  inflightMessagesMax: 512,
  inflightBytesMax: 64 * 1024 * 1024,
  uncommittedBytesMax: 256 * 1024 * 1024,
  applyBytesMax: 1024 * 1024,
} as const;
