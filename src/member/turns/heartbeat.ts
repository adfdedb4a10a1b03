/** What a member does once in a heartbeat interval. */
import type { IntegrityMonitor } from "../../integrity/monitor.js";
import type { Clock, Timer } from "../../platform/clock.js";
import type { RaftNode } from "../../raft/types.js";
import type { SnapshotTransfer } from "../../snapshot/transfer.js";
import type { Leadership } from "../cluster/leadership.js";
import type { Proposals } from "./proposals.js";
import type { ReadBarrier } from "./read-barrier.js";
import type { WatchPacer } from "./watch-pacer.js";

export interface HeartbeatParts {
  readonly clock: Clock;
  readonly heartbeatMs: number;
  /** Milliseconds after which a proposal or a read is ended with a timeout. */
  readonly timeoutMs: number;
  readonly raft: Pick<RaftNode, "isLeader" | "status">;
  readonly proposals: Pick<Proposals, "expire">;
  readonly reads: Pick<ReadBarrier, "expire">;
  readonly leadership: Pick<Leadership, "timeoutCause">;
  readonly watchPacer: Pick<WatchPacer, "tick">;
  readonly transfer: Pick<SnapshotTransfer, "watchReceivers">;
  readonly monitor: Pick<IntegrityMonitor, "tick">;
  /** Raft's own tick. */
  tickRaft(): void;
  /** Drives leases, checks and the progress of watches. */
  ticked(nowMs: number): void;
}

export class Heartbeat {
  readonly #parts: HeartbeatParts;
  #timer: Timer | undefined;
  #isStopped = false;
  #lastMs = Number.POSITIVE_INFINITY;
  /** Heartbeats that this member, as the leader, sent more than two intervals late. */
  late = 0;

  constructor(parts: HeartbeatParts) {
    this.#parts = parts;
  }

  readonly start = (): void => {
    if (this.#isStopped) return;
    const { clock, heartbeatMs, timeoutMs, raft } = this.#parts;
    this.#timer = clock.after(heartbeatMs, this.start);
    this.#parts.tickRaft();
    const nowMs = clock.now();
    if (raft.isLeader() && nowMs - this.#lastMs > 3 * heartbeatMs) this.late++;
    this.#lastMs = nowMs;
    const deadlineMs = nowMs - timeoutMs;
    this.#parts.proposals.expire(deadlineMs, (sinceMs) =>
      this.#parts.leadership.timeoutCause(sinceMs),
    );
    this.#parts.reads.expire(deadlineMs);
    this.#parts.watchPacer.tick(nowMs);
    if (raft.isLeader()) this.#watchReceivers(nowMs);
    this.#parts.monitor.tick(nowMs);
    this.#parts.ticked(nowMs);
  };

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  #watchReceivers(nowMs: number): void {
    const receivers: bigint[] = [];
    for (const [id, progress] of this.#parts.raft.status().progress) {
      if (progress.state === "snapshot") receivers.push(id);
    }
    this.#parts.transfer.watchReceivers(receivers, nowMs);
  }
}
