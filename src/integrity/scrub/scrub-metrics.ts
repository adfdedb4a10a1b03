/** The scrub's metrics. They are computed when somebody reads them. */
import type { MetricSample } from "../../metrics/sample.js";
import { findingKinds } from "./finding.js";
import type { ScrubStats } from "./scrubber.js";

export function scrubMetrics(stats: ScrubStats): MetricSample[] {
  const counter = (name: string, help: string, value: number): MetricSample => {
    return { name: `lockstep_scrub_${name}`, type: "counter", help, value };
  };
  const gauge = (name: string, help: string, value: number): MetricSample => {
    return { name: `lockstep_scrub_${name}`, type: "gauge", help, value };
  };
  return [
    counter("rows_total", "Rows read again.", stats.rows),
    counter("bytes_total", "Bytes of rows and log read again.", stats.bytes),
    counter("cycles_total", "Complete cycles.", stats.cycles),
    counter("restarts_total", "Passes over the rows begun anew.", stats.restarts),
    ...findingKinds.map((kind) => ({
      ...counter("findings_total", "What a scrub found.", stats.findings[kind]),
      labels: { kind },
    })),
    gauge("progress_ratio", "How much of the cycle is done, about.", stats.progress),
    gauge(
      "last_complete_seconds",
      "Unix time of the last complete cycle.",
      stats.lastCompleteSeconds,
    ),
  ];
}
