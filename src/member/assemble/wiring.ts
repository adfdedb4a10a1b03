/** All parts of one member by name, for the functions that make them. No part receives it. */

import type { Authenticator } from "../../auth/authenticator.js";
import type { Done } from "../../base/done.js";
import type { DamageError, KvError } from "../../base/errors.js";
import type { EtcdChecks } from "../../integrity/etcd-checks/etcd-checks.js";
import type { IntegrityMonitor } from "../../integrity/monitor.js";
import type { Scrubber } from "../../integrity/scrub/scrubber.js";
import type { LeaseDriver } from "../../lease/driver.js";
import type { PeerMethod } from "../../peers/codec.js";
import type { PeerGuard } from "../../peers/guard.js";
import type { LeaderRequests } from "../../peers/leader-requests.js";
import type { PeerLinks } from "../../peers/links.js";
import type { Peers } from "../../peers/peers.js";
import type { Network } from "../../platform/network.js";
import type { Platform } from "../../platform/platform.js";
import type { RaftNode } from "../../raft/types.js";
import type { SnapshotTransfer } from "../../snapshot/transfer.js";
import type { BeginApply } from "../../state/apply.js";
import type { MachineReader } from "../../state/types.js";
import type { WatchHub } from "../../state/watch/hub.js";
import type { Committer } from "../../storage/committer.js";
import type { Defragmenter } from "../../storage/defragmenter.js";
import type { Jobs } from "../../storage/jobs.js";
import type { StateStore } from "../../storage/state-store.js";
import type { Leadership } from "../cluster/leadership.js";
import type { MemberAttributes } from "../cluster/member-attributes.js";
import type { MemberChanges } from "../cluster/member-changes.js";
import type { MemberNews } from "../cluster/member-news.js";
import type { Membership } from "../cluster/membership.js";
import type { QuorumWatch } from "../cluster/quorum-watch.js";
import type { VersionMonitor } from "../cluster/version-monitor.js";
import type { Compactor } from "../compactor.js";
import type { MemberConfig } from "../config.js";
import type { Gate } from "../gate/gate.js";
import type { Quota } from "../gate/quota.js";
import type { Incarnations } from "../incarnation/incarnations.js";
import type { AutoCompaction } from "../jobs/auto-compaction.js";
import type { LeaseListJobs } from "../jobs/lease-lists.js";
import type { Maintenance } from "../jobs/maintenance.js";
import type { Lifecycle } from "../lifecycle.js";
import type { RunningMember } from "../member.js";
import type { OperationCounts } from "../operation-counts.js";
import type { Slowness } from "../slowness.js";
import type { Booted } from "../startup/boot.js";
import type { Readiness } from "../startup/readiness.js";
import type { Driver } from "../turns/driver.js";
import type { Heartbeat } from "../turns/heartbeat.js";
import type { PeerInbox } from "../turns/peer-inbox.js";
import type { Proposals } from "../turns/proposals.js";
import type { Proposer } from "../turns/proposer.js";
import type { ReadBarrier } from "../turns/read-barrier.js";
import type { TurnEvents } from "../turns/turn-events.js";
import type { WatchPacer } from "../turns/watch-pacer.js";

/**
 * What a member is given before its parts are made: its surroundings, its configuration, and how
 * entries are applied.
 */
export interface MemberWorld {
  readonly begin: BeginApply;
  readonly platform: Platform;
  readonly network: Network;
  readonly config: MemberConfig;
  readonly slowness: Slowness;
}

/**
 * The parts are made one after the other. An earlier part reaches a later one only inside a
 * callback, and no callback runs before the member starts.
 */
export interface Wiring extends MemberWorld {
  readonly booted: Booted;
  jobs: Jobs;
  state: StateStore;
  watchPacer: WatchPacer;
  watch: WatchHub;
  proposals: Proposals;
  reads: ReadBarrier;
  peers: Peers;
  leaderRequests: LeaderRequests;
  incarnations: Incarnations;
  guard: PeerGuard;
  links: PeerLinks;
  raft: RaftNode;
  leadership: Leadership;
  committer: Committer;
  driver: Driver;
  transfer: SnapshotTransfer;
  defragmenter: Defragmenter;
  maintenance: Maintenance;
  lifecycle: Lifecycle;
  proposer: Proposer;
  inbox: PeerInbox;
  monitor: IntegrityMonitor;
  quota: Quota;
  authenticator: Authenticator;
  membership: Membership;
  gate: Gate;
  leaseLists: LeaseListJobs;
  leases: LeaseDriver;
  changes: MemberChanges;
  compactor: Compactor;
  autoCompaction: AutoCompaction;
  operations: OperationCounts;
  etcdChecks: EtcdChecks;
  readiness: Readiness;
  memberNews: MemberNews;
  quorum: QuorumWatch;
  attributes: MemberAttributes;
  versions: VersionMonitor;
  scrubber: Scrubber;
  events: TurnEvents;
  heartbeat: Heartbeat;
  member: RunningMember;

  machine(): MachineReader;
  /** Sends a request to another member. Ends with its answer, or later with `timeout`. */
  request(to: bigint, method: PeerMethod, body: Uint8Array, done: Done<Uint8Array>): void;
  /** Call when entries were applied or the leader changed. */
  progressed(): void;
  /**
   * Call when this member's state is damaged. Returns true if the member gives its state up and
   * fetches a right one from the others. Returns false if it did nothing, because it is the only
   * voter or stops.
   */
  damaged(error: DamageError): boolean;
  /** Takes an error that the handling of a request threw, and returns the request's answer. */
  requestFailed(error: unknown): KvError;
  /** Heals damage of the state where other members can help. Any other error stops the member. */
  failed(error: Error): void;
}
