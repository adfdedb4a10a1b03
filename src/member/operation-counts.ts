/**
 * Counts what this member did for clients, for the metrics under etcd's names. As in etcd, every
 * member that applies an operation of the log counts it; the member that serves a read or a call
 * counts that.
 */
import { KvError } from "../base/errors.js";
import { doublingBounds, Histogram } from "../base/histogram.js";
import type { HistogramSample, MetricSample } from "../metrics/sample.js";
import type { Applied, OpOutcome } from "../state/types.js";

/** A client may send any version. Once this many are known, all others count as "other". */
const versionsMax = 32;
const outcomes = { true: "true", false: "false" } as const;

interface Ops {
  ranges: number;
  puts: number;
  deletes: number;
}

export class OperationCounts {
  readonly #now: () => number;
  readonly #ops: Ops = { ranges: 0, puts: 0, deletes: 0 };
  #txns = 0;
  #leasesGranted = 0;
  #leasesRevoked = 0;
  #leasesRenewed = 0;
  #healthy = 0;
  #unhealthy = 0;
  readonly #rangeSeconds = {
    true: new Histogram(doublingBounds(0.0001, 20)),
    false: new Histogram(doublingBounds(0.0001, 20)),
  };
  /** Calls by type, then by version of the client. */
  readonly #calls = {
    unary: new Map<string, number>(),
    stream: new Map<string, number>(),
  };

  /** `now` gives milliseconds that only grow. */
  constructor(now: () => number) {
    this.#now = now;
  }

  applied({ outcome }: Applied): void {
    if (outcome instanceof KvError) return;
    switch (outcome.kind) {
      case "put":
      case "deleteRange":
      case "range":
      case "txn":
        this.#count(outcome);
        break;
      case "leaseGrant":
        this.#leasesGranted++;
        break;
      case "leaseRevoke":
        this.#leasesRevoked++;
        break;
      default:
    }
  }

  /** Call when a read begins. Returns the time for `readEnded`. */
  begin(): number {
    return this.#now();
  }

  /**
   * Call when a read has ended. `ranges` tells how many ranges it had; more than one is a
   * transaction.
   */
  readEnded(sinceMs: number, isDone: boolean, ranges = 1): void {
    this.#ops.ranges += ranges;
    if (ranges > 1) this.#txns++;
    this.#rangeSeconds[isDone ? "true" : "false"].observe((this.#now() - sinceMs) / 1_000);
  }

  leaseRenewed(): void {
    this.#leasesRenewed++;
  }

  /** Call when somebody has asked /health. */
  healthAsked(isHealthy: boolean): void {
    if (isHealthy) this.#healthy++;
    else this.#unhealthy++;
  }

  /**
   * Call when a call comes. `version` is what the client says of itself in the metadata
   * client-api-version.
   */
  called(type: "unary" | "stream", version = "unknown"): void {
    const calls = this.#calls[type];
    const known = calls.get(version);
    if (known !== undefined || calls.size < versionsMax) calls.set(version, (known ?? 0) + 1);
    else calls.set("other", (calls.get("other") ?? 0) + 1);
  }

  samples(): readonly (MetricSample | HistogramSample)[] {
    const { ranges, puts, deletes } = this.#ops;
    return [
      counter("etcd_mvcc_range_total", "Ranges read.", ranges),
      counter("etcd_mvcc_put_total", "Puts.", puts),
      counter("etcd_mvcc_delete_total", "Deletions.", deletes),
      counter("etcd_mvcc_txn_total", "Transactions of several operations.", this.#txns),
      counter("etcd_debugging_lease_granted_total", "Leases granted.", this.#leasesGranted),
      counter("etcd_debugging_lease_revoked_total", "Leases revoked.", this.#leasesRevoked),
      counter("etcd_debugging_lease_renewed_total", "Leases renewed.", this.#leasesRenewed),
      counter("etcd_server_health_success", "Good answers of /health.", this.#healthy),
      counter("etcd_server_health_failures", "Bad answers of /health.", this.#unhealthy),
      ...Object.values(outcomes).map(
        (success): HistogramSample => ({
          ...{ name: "etcd_server_range_duration_seconds", type: "histogram" },
          ...{ help: "Seconds that a range of a client took.", labels: { success } },
          ...this.#rangeSeconds[success].values(),
        }),
      ),
      ...Object.entries(this.#calls).flatMap(([type, versions]) =>
        [...versions].map(([version, value]) => ({
          ...counter("etcd_server_client_requests_total", "Calls by the client's version.", value),
          labels: { client_api_version: version, type },
        })),
      ),
    ];
  }

  /** As in etcd: a transaction counts as one only if it has several operations. */
  #count(outcome: OpOutcome): void {
    const ops: Ops = { ranges: 0, puts: 0, deletes: 0 };
    add(ops, outcome);
    this.#ops.ranges += ops.ranges;
    this.#ops.puts += ops.puts;
    this.#ops.deletes += ops.deletes;
    if (ops.ranges + ops.puts + ops.deletes > 1) this.#txns++;
  }
}

function add(ops: Ops, outcome: OpOutcome): void {
  switch (outcome.kind) {
    case "range":
      ops.ranges++;
      break;
    case "put":
      ops.puts++;
      break;
    case "deleteRange":
      ops.deletes += outcome.deleted;
      break;
    case "txn":
      for (const response of outcome.responses) add(ops, response.outcome);
  }
}

function counter(name: string, help: string, value: number): MetricSample {
  return { name, type: "counter", help, value };
}
