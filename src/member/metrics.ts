/** The member's metrics under etcd's names. They are computed when somebody asks. */

import type { PeerView } from "../integrity/comparison.js";
import type { MetricSample } from "../metrics/sample.js";
import type { PeerGuard } from "../peers/guard.js";
import type { RaftStatus } from "../raft/types.js";
import type { KvReader } from "../state/types.js";
import type { WatchHub } from "../state/watch/hub.js";

export interface IntegrityNumbers {
  /** The members that this member compares its state with. */
  readonly peers: readonly ({ readonly id: bigint } & PeerView)[];
  readonly isInQuarantine: boolean;
  readonly isDiverged: boolean;
  readonly incidents: number;
  readonly healed: number;
}

export interface MemberNumbers {
  readonly serverVersion: string;
  /** The cluster version; empty until the cluster has decided it. */
  readonly clusterVersion: string;
  readonly raft: RaftStatus;
  readonly leaderChanges: number;
  readonly pending: number;
  readonly failed: number;
  readonly slowReads: number;
  readonly failedReads: number;
  readonly leasesExpired: number;
  readonly snapshotsServed: number;
  readonly backendCommits: number;
  readonly quotaBytes: number;
  readonly dbSize: number;
  readonly dbSizeInUse: number;
  readonly isLearner: boolean;
  readonly lateHeartbeats: number;
  readonly authRevision: number;
  readonly kv: KvReader;
  readonly watch: ReturnType<WatchHub["stats"]>;
  readonly integrity: IntegrityNumbers;
  readonly peers: Pick<PeerGuard, "lost" | "counts" | "peers">;
}

/** The samples of one request for metrics, in the order of the page. Does not change anything. */
export function memberMetrics(numbers: MemberNumbers): MetricSample[] {
  const { raft, kv, watch, serverVersion, clusterVersion } = numbers;
  return [
    gauge(
      "etcd_server_has_leader",
      "Whether a leader is known: 1 or 0.",
      raft.leader === 0n ? 0 : 1,
    ),
    gauge(
      "etcd_server_is_leader",
      "Whether this member leads: 1 or 0.",
      raft.role === "leader" ? 1 : 0,
    ),
    gauge("etcd_server_is_learner", "Whether this member is a learner.", numbers.isLearner ? 1 : 0),
    counter("etcd_server_leader_changes_seen_total", "Leader changes seen.", numbers.leaderChanges),
    gauge("etcd_server_proposals_committed_total", "Committed log index.", raft.commit),
    gauge("etcd_server_proposals_applied_total", "Applied log index.", raft.applied),
    gauge("etcd_server_proposals_pending", "Proposals waiting for their entry.", numbers.pending),
    counter("etcd_server_proposals_failed_total", "Proposals that timed out.", numbers.failed),
    counter("etcd_server_slow_read_indexes_total", "Read rounds asked again.", numbers.slowReads),
    counter("etcd_server_read_indexes_failed_total", "Read rounds given up.", numbers.failedReads),
    counter(
      "etcd_server_heartbeat_send_failures_total",
      "Heartbeats of the leader that left more than two intervals late.",
      numbers.lateHeartbeats,
    ),
    gauge("etcd_debugging_auth_revision", "Auth revision.", numbers.authRevision),
    gauge("etcd_server_quota_backend_bytes", "Space quota in bytes.", numbers.quotaBytes),
    labelled("etcd_server_version", "Version of this server.", { server_version: serverVersion }),
    ...(clusterVersion === ""
      ? []
      : [
          labelled("etcd_cluster_version", "Version of the cluster.", {
            cluster_version: clusterVersion,
          }),
        ]),
    labelled("etcd_server_id", "Id of this member.", { server_id: raft.id.toString(16) }),
    counter("etcd_debugging_server_lease_expired_total", "Leases expired.", numbers.leasesExpired),
    counter("lockstep_snapshots_sent_total", "States sent to followers.", numbers.snapshotsServed),
    counter("lockstep_backend_commits_total", "Backend commits.", numbers.backendCommits),
    gauge("etcd_mvcc_db_total_size_in_bytes", "Size of the backend file.", numbers.dbSize),
    gauge("etcd_mvcc_db_total_size_in_use_in_bytes", "Bytes in use in it.", numbers.dbSizeInUse),
    gauge("etcd_debugging_mvcc_keys_total", "Live keys.", kv.keyCount()),
    gauge("etcd_debugging_mvcc_current_revision", "Current revision.", kv.revision()),
    gauge("etcd_debugging_mvcc_compact_revision", "Compacted revision.", kv.compactRevision()),
    gauge("etcd_debugging_mvcc_watch_stream_total", "Open watch streams.", watch.streams),
    gauge("etcd_debugging_mvcc_watcher_total", "Watchers.", watch.watchers),
    gauge("etcd_debugging_mvcc_slow_watcher_total", "Watchers that catch up.", watch.slow),
    gauge("etcd_debugging_mvcc_pending_events_total", "Events held back.", watch.pendingEvents),
    ...integrityMetrics(numbers.integrity),
    ...peerMetrics(numbers.peers),
  ];
}

function peerMetrics(peers: MemberNumbers["peers"]): MetricSample[] {
  const help = "Connections and messages on the peer address that were refused.";
  return [
    ...peers.peers().map(({ id, isUp }) => ({
      ...gauge("lockstep_peer_connected", "Whether this peer is reached: 1 or 0.", +isUp),
      labels: { peer: id.toString(16) },
    })),
    counter("lockstep_peer_lost_total", "How often the connection to a peer was lost.", peers.lost),
    ...[...peers.counts()].map(([reason, value]) => ({
      ...counter("lockstep_peer_rejected_total", help, value),
      labels: { reason },
    })),
  ];
}

/** A peer whose state cannot be compared shows as 0, so that it never looks healthy. */
function integrityMetrics(numbers: IntegrityNumbers): MetricSample[] {
  const { peers, isInQuarantine, isDiverged, incidents, healed } = numbers;
  const perPeer = (name: string, help: string, value: (peer: PeerView) => number): MetricSample[] =>
    peers.map((peer) => ({
      ...{ name, type: "gauge", help, labels: { peer: peer.id.toString(16) } },
      value: value(peer),
    }));
  return [
    ...perPeer(
      "lockstep_integrity_verified_index",
      "The last log index at which this peer's state was seen to equal ours.",
      (peer) => peer.verifiedIndex,
    ),
    ...perPeer(
      "lockstep_integrity_comparable",
      "Whether this peer's state was compared with ours: 1, or 0 while it cannot be.",
      ({ state }) => (state === "equal" || state === "differs" ? 1 : 0),
    ),
    gauge("lockstep_quarantine", "Whether this member's state is wrong: 1 or 0.", +isInQuarantine),
    gauge(
      "lockstep_diverged",
      "Whether entries that are committed here are not in the leader's log: 1 or 0.",
      +isDiverged,
    ),
    counter("lockstep_incidents_total", "Differences between states that were seen.", incidents),
    counter("lockstep_healed_total", "How often this member healed.", healed),
  ];
}

function gauge(name: string, help: string, value: number): MetricSample {
  return { name, type: "gauge", help, value };
}

function counter(name: string, help: string, value: number): MetricSample {
  return { name, type: "counter", help, value };
}

function labelled(name: string, help: string, labels: Record<string, string>): MetricSample {
  return { name, type: "gauge", help, labels, value: 1 };
}
