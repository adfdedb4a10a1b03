/** Metrics of what goes between this member and the others, under etcd's names. */
import type { HistogramSample, MetricSample } from "../../metrics/sample.js";
import type { PeerTraffic } from "../../platform/network.js";

export function trafficMetrics(
  traffic: readonly PeerTraffic[],
): readonly (MetricSample | HistogramSample)[] {
  return traffic.flatMap(({ id, sentBytes, receivedBytes, sendFailures, roundTrips }) => {
    const [to, from] = [{ To: id.toString(16) }, { From: id.toString(16) }];
    const count = (name: string, help: string, labels: Labels, value: number): MetricSample => ({
      ...{ name, type: "counter", help, labels, value },
    });
    const times: HistogramSample = {
      ...{ name: "etcd_network_peer_round_trip_time_seconds", type: "histogram", labels: to },
      ...{ help: "Seconds between a question to a peer and its answer.", ...roundTrips.values() },
    };
    return [
      count("etcd_network_peer_sent_bytes_total", "Bytes sent to a peer.", to, sentBytes),
      count("etcd_network_peer_received_bytes_total", "Bytes of a peer.", from, receivedBytes),
      count(
        ...(["etcd_network_peer_sent_failures_total", "Messages that could not leave."] as const),
        ...([to, sendFailures] as const),
      ),
      times,
    ];
  });
}

type Labels = Readonly<Record<string, string>>;
