/** Samples that a part of the member reports to the metrics page. */

/** Plain counters and gauges by Prometheus name, read at scrape time. */
export interface MetricSample {
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly help: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}
export interface HistogramSample {
  readonly name: string;
  readonly type: "histogram";
  readonly help: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Upper bounds ascending; `counts[i]` observations <= bounds[i], cumulative; then sum and count. */
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
  readonly sum: number;
  readonly count: number;
}
