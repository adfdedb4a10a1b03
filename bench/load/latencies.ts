/** What a load gives, and the percentiles of its latencies. */

export interface LoadResult {
  /** Calls, events or answers that were counted. */
  readonly count: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

export function percentile(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** @param latencies milliseconds, in any order */
export function resultOf(count: number, seconds: number, latencies: Float64Array): LoadResult {
  const sorted = latencies.slice().sort();
  return {
    count,
    perSecond: count / seconds,
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
    p999Ms: percentile(sorted, 0.999),
    maxMs: sorted.at(-1) ?? 0,
  };
}
