/** One member of a cluster for tests of raft. */
import type { MemoryLog } from "./memory-log.fixture.js";
import type { AppendWork, ConfState, Entry, HardState, RaftNode, SnapshotMeta } from "./types.js";

/** What survives a crash. */
export interface Disk {
  hardState: HardState;
  base: SnapshotMeta;
  entries: readonly Entry[];
}

export interface Member {
  readonly id: bigint;
  readonly disk: Disk;
  node: RaftNode;
  log: MemoryLog;
  /** Handed out and not yet reported durable, oldest first. */
  pending: AppendWork[];
  /** Reported durable, but written without a sync of their own. */
  unsynced: AppendWork[];
  appliedIndex: number;
  confState: ConfState;
  /** The state machine's own durable state: index and configuration. */
  backend: SnapshotMeta;
}
