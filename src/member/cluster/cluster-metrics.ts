/** Metrics of the other members as this one sees them, under etcd's names where etcd has one. */
import type { MetricSample } from "../../metrics/sample.js";
import type { PeerGuard } from "../../peers/guard.js";
import type { MemberRecord } from "../../state/types.js";
import type { MemberNews } from "./member-news.js";
import type { QuorumWatch } from "./quorum-watch.js";

/** What the metrics of the cluster are computed from. `members`: all, this one included. */
export interface ClusterNumbers {
  readonly selfId: bigint;
  readonly members: readonly MemberRecord[];
  readonly peers: Pick<PeerGuard, "peers">;
  readonly memberNews: Pick<MemberNews, "counts">;
  readonly quorum: Pick<QuorumWatch, "voters" | "losses">;
}

export function clusterMetrics(numbers: ClusterNumbers): MetricSample[] {
  const { selfId, members, memberNews, quorum } = numbers;
  const { all, reached } = quorum.voters();
  const learners = members.filter(({ isLearner }) => isLearner).length;
  const changesHelp = "Members that were added, removed, promoted or updated since the start.";
  return [
    ...numbers.peers.peers().flatMap(({ id, isUp, losses }) => {
      const labels = { Local: selfId.toString(16), Remote: id.toString(16) };
      return [
        gauge("etcd_network_known_peers", "Peers that this member knows: 1.", 1, labels),
        gauge(
          "etcd_network_active_peers",
          "Peers that this member reaches: 1 or 0.",
          +isUp,
          labels,
        ),
        counter("etcd_network_disconnected_peers_total", "Losses of a peer.", losses, labels),
      ];
    }),
    gauge("lockstep_members", "Members by role.", members.length - learners, { role: "voter" }),
    gauge("lockstep_members", "Members by role.", learners, { role: "learner" }),
    ...[...memberNews.counts()].map(([change, value]) =>
      counter("lockstep_member_changes_total", changesHelp, value, { change }),
    ),
    gauge("lockstep_quorum_reached", "Whether a quorum is reached: 1 or 0.", +(reached > all / 2)),
    counter(
      "lockstep_leader_missing_total",
      "How often there was no leader for longer than three election timeouts.",
      quorum.losses,
    ),
  ];
}

type Labels = Readonly<Record<string, string>>;

function gauge(name: string, help: string, value: number, labels: Labels = {}): MetricSample {
  return { name, type: "gauge", help, value, labels };
}

function counter(name: string, help: string, value: number, labels: Labels = {}): MetricSample {
  return { name, type: "counter", help, value, labels };
}
