/** What a member reports about itself: status, integrity, metrics. */
import type { IntegrityMonitor } from "../integrity/monitor.js";
import { scrubMetrics } from "../integrity/scrub/scrub-metrics.js";
import type { Scrubber } from "../integrity/scrub/scrubber.js";
import type { LeaseDriver } from "../lease/driver.js";
import type { HistogramSample, MetricSample } from "../metrics/sample.js";
import type { PeerGuard } from "../peers/guard.js";
import type { Network } from "../platform/network.js";
import type { RaftNode } from "../raft/types.js";
import type { SnapshotTransfer } from "../snapshot/transfer.js";
import { digestVersion } from "../state/digest.js";
import type { MachineReader } from "../state/types.js";
import type { WatchHub } from "../state/watch/hub.js";
import type { Committer } from "../storage/committer.js";
import type { StateStore } from "../storage/state-store.js";
import { clusterMetrics } from "./cluster/cluster-metrics.js";
import type { Leadership } from "./cluster/leadership.js";
import type { MemberNews } from "./cluster/member-news.js";
import type { QuorumWatch } from "./cluster/quorum-watch.js";
import { trafficMetrics } from "./cluster/traffic-metrics.js";
import type { AutoCompaction } from "./jobs/auto-compaction.js";
import { autoCompactionMetrics } from "./jobs/auto-compaction-metrics.js";
import { type IntegrityNumbers, memberMetrics } from "./metrics.js";
import type { OperationCounts } from "./operation-counts.js";
import type { Slowness } from "./slowness.js";
import type { Heartbeat } from "./turns/heartbeat.js";
import type { Proposals } from "./turns/proposals.js";
import type { ReadBarrier } from "./turns/read-barrier.js";
import type { MemberIntegrity, MemberStatus } from "./types.js";

export interface ReportParts {
  readonly selfId: bigint;
  readonly serverVersion: string;
  readonly quotaBytes: number;
  readonly state: Pick<StateStore, "backend">;
  readonly raft: Pick<RaftNode, "status" | "leader">;
  readonly monitor: Pick<
    IntegrityMonitor,
    "comparison" | "divergence" | "quarantine" | "incidents" | "healed"
  >;
  readonly scrubber: Pick<Scrubber, "stats">;
  readonly autoCompaction: Pick<AutoCompaction, "status">;
  readonly leadership: Pick<Leadership, "changes">;
  readonly proposals: Pick<Proposals, "pending" | "failed">;
  readonly reads: Pick<ReadBarrier, "slowRounds" | "failedRounds">;
  readonly leases: Pick<LeaseDriver, "expired">;
  readonly transfer: Pick<SnapshotTransfer, "source">;
  readonly committer: Pick<Committer, "commits">;
  readonly watch: Pick<WatchHub, "stats">;
  readonly guard: Pick<PeerGuard, "lost" | "counts" | "peers">;
  readonly slowness: Pick<Slowness, "samples">;
  readonly operations: Pick<OperationCounts, "samples">;
  readonly heartbeat: Pick<Heartbeat, "late">;
  readonly network: Pick<Network, "traffic">;
  readonly memberNews: Pick<MemberNews, "counts">;
  readonly quorum: Pick<QuorumWatch, "voters" | "losses">;
  machine(): MachineReader;
  isLearner(): boolean;
}

export class Report {
  readonly #parts: ReportParts;

  constructor(parts: ReportParts) {
    this.#parts = parts;
  }

  status(): MemberStatus {
    const { monitor, serverVersion, quotaBytes } = this.#parts;
    const machine = this.#parts.machine();
    const raft = this.#parts.raft.status();
    const sizes = this.#parts.state.backend().sizes();
    const errors = machine
      .alarms()
      .map((record) => `memberID:${record.memberId} alarm:${record.alarm} `);
    if (raft.leader === 0n) errors.unshift("etcdserver: no leader");
    const quarantine = monitor.quarantine();
    if (monitor.divergence.own() !== undefined)
      errors.unshift("entries that are committed here are not in the leader's log");
    if (quarantine !== undefined) errors.unshift(`in quarantine: ${quarantine.reason}`);
    return {
      version: serverVersion,
      leader: raft.leader,
      raftIndex: raft.commit,
      raftTerm: raft.term,
      appliedIndex: machine.appliedIndex,
      dbSize: sizes.total,
      dbSizeInUse: sizes.inUse,
      isLearner: this.#parts.isLearner(),
      verifiedIndex: monitor.comparison.verifiedIndex(),
      storageVersion: machine.cluster.clusterVersion(),
      downgradeTarget: machine.cluster.downgradeTarget(),
      quotaBytes,
      errors,
    };
  }

  integrity(): MemberIntegrity {
    const { comparison, incidents, quarantine, divergence } = this.#monitor();
    return {
      digestVersion,
      verifiedIndex: comparison.verifiedIndex(),
      quarantine,
      divergence,
      incidents: incidents.all(),
      autoCompaction: this.#parts.autoCompaction.status(),
      peer: (id) => comparison.view(id),
    };
  }

  metrics(): readonly (MetricSample | HistogramSample)[] {
    const parts = this.#parts;
    const machine = parts.machine();
    const sizes = parts.state.backend().sizes();
    const numbers = memberMetrics({
      serverVersion: parts.serverVersion,
      clusterVersion: machine.cluster.clusterVersion(),
      raft: parts.raft.status(),
      leaderChanges: parts.leadership.changes,
      pending: parts.proposals.pending(),
      failed: parts.proposals.failed,
      slowReads: parts.reads.slowRounds,
      failedReads: parts.reads.failedRounds,
      leasesExpired: parts.leases.expired,
      snapshotsServed: parts.transfer.source.served,
      backendCommits: parts.committer.commits,
      quotaBytes: parts.quotaBytes,
      dbSize: sizes.total,
      dbSizeInUse: sizes.inUse,
      isLearner: parts.isLearner(),
      kv: machine.kv,
      watch: parts.watch.stats(),
      integrity: this.#integrityNumbers(),
      peers: parts.guard,
      lateHeartbeats: parts.heartbeat.late,
      authRevision: machine.auth.revision,
    });
    const compaction = autoCompactionMetrics(parts.autoCompaction.status());
    const cluster = clusterMetrics({
      ...{ selfId: parts.selfId, members: machine.cluster.members(), peers: parts.guard },
      ...{ memberNews: parts.memberNews, quorum: parts.quorum },
    });
    const measured = [...parts.slowness.samples(), ...parts.operations.samples()];
    const more = [
      ...cluster,
      ...measured,
      ...compaction,
      ...trafficMetrics(parts.network.traffic()),
    ];
    return [...numbers, ...more, ...scrubMetrics(parts.scrubber.stats())];
  }

  #monitor() {
    const { monitor } = this.#parts;
    const { comparison, incidents, healed } = monitor;
    const divergence = monitor.divergence.own();
    return { comparison, incidents, healed, divergence, quarantine: monitor.quarantine() };
  }

  /** A leader compares its state with every member, a follower only with its leader. */
  #integrityNumbers(): IntegrityNumbers {
    const { selfId, raft } = this.#parts;
    const { comparison, incidents, healed, quarantine, divergence } = this.#monitor();
    const leader = raft.leader();
    const isCompared = (id: bigint): boolean =>
      id !== selfId && (leader === selfId || leader === id);
    const peers = this.#parts
      .machine()
      .cluster.members()
      .filter(({ id }) => isCompared(id));
    return {
      peers: peers.map(({ id }) => ({ id, ...comparison.view(id) })),
      isInQuarantine: quarantine !== undefined,
      isDiverged: divergence !== undefined,
      incidents: incidents.begun,
      healed,
    };
  }
}
