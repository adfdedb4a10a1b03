/** The counters of calls under the names of Go gRPC servers and of etcd, which dashboards use. */
import type { Histogram } from "../base/histogram.js";
import type { HistogramSample, MetricSample } from "./sample.js";

/** The transport's counters of one method. */
export interface RpcCounts {
  readonly path: string;
  readonly kind: "unary" | "serverStream" | "bidi";
  readonly started: number;
  readonly received: number;
  readonly sent: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  /** How many calls have ended, by status code. */
  readonly handled: readonly number[];
  /** How many seconds each ended call took. */
  readonly handling: Pick<Histogram, "count" | "values">;
}

const kindNames = { unary: "unary", serverStream: "server_stream", bidi: "bidi_stream" } as const;
/** The codes by number, as in gRPC's list. */
const codeNames = [
  "OK",
  "Canceled",
  "Unknown",
  "InvalidArgument",
  "DeadlineExceeded",
  "NotFound",
  "AlreadyExists",
  "PermissionDenied",
  "ResourceExhausted",
  "FailedPrecondition",
  "Aborted",
  "OutOfRange",
  "Unimplemented",
  "Internal",
  "Unavailable",
  "DataLoss",
  "Unauthenticated",
];

/**
 * The metrics of all methods. Times of methods that nobody has called are left out, because they
 * would be most of the page.
 */
export function rpcMetrics(counts: Iterable<RpcCounts>): (MetricSample | HistogramSample)[] {
  const samples: (MetricSample | HistogramSample)[] = [];
  let receivedBytes = 0;
  let sentBytes = 0;
  for (const of of counts) {
    receivedBytes += of.receivedBytes;
    sentBytes += of.sentBytes;
    const [, service = "", method = ""] = of.path.split("/");
    const labels = {
      grpc_method: method,
      grpc_service: service,
      grpc_type: kindNames[of.kind],
    };
    const count = (name: string, help: string, value: number): void => {
      samples.push({ name, type: "counter", help, labels, value });
    };
    count("grpc_server_started_total", "Calls started on the server.", of.started);
    count("grpc_server_msg_received_total", "Messages received from clients.", of.received);
    count("grpc_server_msg_sent_total", "Messages sent to clients.", of.sent);
    if (of.handling.count > 0) {
      const [name, type] = ["grpc_server_handling_seconds", "histogram"] as const;
      const help = "Seconds from the beginning of a call to its end.";
      samples.push({ name, type, help, labels, ...of.handling.values() });
    }
    for (const [code, value] of of.handled.entries()) {
      samples.push({
        name: "grpc_server_handled_total",
        type: "counter",
        help: "Calls completed on the server.",
        labels: { grpc_code: codeNames[code] ?? "Unknown", ...labels },
        value,
      });
    }
  }
  samples.push(
    total("etcd_network_client_grpc_received_bytes_total", "Received from clients.", receivedBytes),
    total("etcd_network_client_grpc_sent_bytes_total", "Sent to clients.", sentBytes),
  );
  return samples;
}

function total(name: string, help: string, value: number): MetricSample {
  return { name, type: "counter", help: `Bytes of messages. ${help}`, value };
}
