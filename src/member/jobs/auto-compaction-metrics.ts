/** What automatic compaction did and will do, as metrics. */
import type { MetricSample } from "../../metrics/sample.js";
import type { AutoCompactionStatus } from "./auto-compaction.js";

/** Empty if automatic compaction is off. */
export function autoCompactionMetrics(status: AutoCompactionStatus | undefined): MetricSample[] {
  if (status === undefined) return [];
  const { lastRevision, nextRevision, dueInMs } = status;
  const gauge = (name: string, help: string, value: number): MetricSample => ({
    ...{ name: `lockstep_auto_compaction_${name}`, type: "gauge", help, value },
  });
  const samples = [
    gauge("last_revision", "The last revision that this member compacted by itself.", lastRevision),
    gauge("next_revision", "The revision that the next one would compact now.", nextRevision),
  ];
  if (dueInMs !== undefined) {
    samples.push(
      gauge("due_seconds", "Seconds until the leader may compact next.", dueInMs / 1_000),
    );
  }
  return samples;
}
