/**
 * The metrics that etcd's alerts and dashboards ask for (contrib/mixin), and those that its users rely
 * on besides: each is there under etcd's name and labels, and moves when something happens.
 */
import { afterEach, describe, expect, test } from "vitest";
import { bytes } from "../support/client.js";
import { Cluster, type ClusterMember } from "../support/cluster.js";
import { isMissing } from "../support/server-kind.js";

/** Metrics that the alerts and dashboards of etcd's mixin use. */
const ofMixin = [
  "etcd_server_has_leader",
  "etcd_server_leader_changes_seen_total",
  "etcd_server_proposals_committed_total",
  "etcd_server_proposals_applied_total",
  "etcd_server_proposals_pending",
  "etcd_server_proposals_failed_total",
  "etcd_server_quota_backend_bytes",
  "etcd_disk_wal_fsync_duration_seconds_bucket",
  "etcd_disk_backend_commit_duration_seconds_bucket",
  "etcd_mvcc_db_total_size_in_bytes",
  "etcd_mvcc_db_total_size_in_use_in_bytes",
  "etcd_network_peer_sent_bytes_total",
  "etcd_network_peer_received_bytes_total",
  "etcd_network_peer_sent_failures_total",
  "etcd_network_peer_round_trip_time_seconds_bucket",
  "etcd_network_client_grpc_sent_bytes_total",
  "etcd_network_client_grpc_received_bytes_total",
  "grpc_server_started_total",
  "grpc_server_handled_total",
  "grpc_server_handling_seconds_bucket",
  "process_resident_memory_bytes",
];
/** The value must be above 0 after the traffic below. */
const moving = [
  ...["etcd_mvcc_put_total", "etcd_mvcc_delete_total", "etcd_mvcc_range_total"],
  ...["etcd_mvcc_txn_total", "etcd_server_client_requests_total", "etcd_server_health_success"],
  ...["etcd_server_range_duration_seconds_count", "etcd_debugging_auth_revision"],
  ...["etcd_network_peer_sent_bytes_total", "etcd_network_peer_received_bytes_total"],
  ...["etcd_network_peer_round_trip_time_seconds_count", "grpc_server_handling_seconds_count"],
  ...["etcd_disk_wal_fsync_duration_seconds_count", "etcd_debugging_lease_granted_total"],
  ...["etcd_disk_backend_commit_duration_seconds_count", "etcd_network_active_peers"],
];
const alsoThere = [
  ...["etcd_server_health_failures", "etcd_server_heartbeat_send_failures_total"],
  ...["etcd_server_slow_apply_total", "etcd_server_slow_read_indexes_total"],
  ...["etcd_network_known_peers", "etcd_network_disconnected_peers_total"],
];

let cluster: Cluster | undefined;
afterEach(() => cluster?.dispose());

async function page(member: ClusterMember, path: string): Promise<string> {
  return (await fetch(`http://${member.endpoint}${path}`)).text();
}

/** The sum over all labels. Undefined: the page does not have the metric. */
function totalOf(text: string, name: string): number | undefined {
  const lines = text.split("\n").filter((line) => new RegExp(`^${name}[{ ]`).test(line));
  if (lines.length === 0) return undefined;
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
}

async function traffic(member: ClusterMember): Promise<void> {
  const { client } = member;
  const key = bytes("metrics");
  await client.leaseGrant({ TTL: 60n });
  await client.put({ key, value: bytes("a") });
  await client.range({ key });
  await client.range({ key, range_end: bytes("n") });
  const put = (value: string) => ({
    request: { $case: "request_put", value: { ...noPut, key: bytes(value), value: bytes(value) } },
  });
  await client.txn({ compare: [], success: [put("x"), put("y")], failure: [] } as never);
  await client.deleteRange({ key });
  await page(member, "/health");
}

const noPut = { lease: 0n, prev_kv: false, ignore_value: false, ignore_lease: false };

describe.skipIf(isMissing("lockstep"))("metrics", () => {
  test("each that etcd's alerts need is there, and counts", async () => {
    cluster = await Cluster.start({ kind: "lockstep", size: 2 });
    const [member] = cluster.members as [ClusterMember];
    await traffic(member);
    let text = "";
    // The backend commits ten times a second, and a peer is asked twice a second.
    await expect
      .poll(
        async () => {
          text = await page(member, "/metrics");
          return moving.filter((name) => (totalOf(text, name) ?? 0) <= 0);
        },
        { timeout: 20_000, interval: 100 },
      )
      .toEqual([]);
    expect([...ofMixin, ...alsoThere].filter((name) => totalOf(text, name) === undefined)).toEqual(
      [],
    );
    expect(totalOf(text, "etcd_mvcc_put_total")).toBeGreaterThanOrEqual(3);
    expect(text).toMatch(
      /etcd_server_client_requests_total\{client_api_version=".+",type="unary"\}/,
    );
    expect(text).toMatch(
      /etcd_network_peer_round_trip_time_seconds_bucket\{To="[0-9a-f]+",le="0.0001"\}/,
    );
    const vars = JSON.parse(await page(member, "/debug/vars"));
    expect(vars["raft.status"]).toMatchObject({ id: expect.stringMatching(/^[0-9a-f]+$/) });
    expect(vars.memstats.rss).toBeGreaterThan(0);
  });
});
