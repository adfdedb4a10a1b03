/** What a bench run leaves: for each scenario and server the medians of its runs. */
import type { Measurement, Scenario } from "../scenarios/scenario.js";

/** Of one server; medians, each over the runs by itself. */
export interface Figures {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
  /** Microseconds of CPU time of all members together, for each that was counted. */
  readonly cpuUs: number;
  /** MiB after loading, before the load. */
  readonly preparedMiB: number;
  readonly peakMiB: number;
}

export interface Row {
  readonly name: string;
  /** "30 November 2026" */
  readonly day: string;
  readonly runs: number;
  /** Share of the scenario's requests: 1, or less with `--quick`. */
  readonly scale: number;
  /** By server, in the order of the table. */
  readonly servers: Readonly<Record<string, Figures>>;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((x, y) => x - y);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

export function figuresOf(runs: readonly Measurement[]): Figures {
  const of = (field: (run: Measurement) => number): number =>
    Number(median(runs.map(field)).toPrecision(4));
  return {
    perSecond: of((run) => run.perSecond),
    p50Ms: of((run) => run.p50Ms),
    p99Ms: of((run) => run.p99Ms),
    p999Ms: of((run) => run.p999Ms),
    maxMs: of((run) => run.maxMs),
    cpuUs: of((run) => (run.cpuSeconds / run.count) * 1e6),
    preparedMiB: of((run) => run.preparedRssBytes / 2 ** 20),
    peakMiB: of((run) => run.peakRssBytes / 2 ** 20),
  };
}

export function rowOf(
  scenario: Scenario,
  measured: ReadonlyMap<string, readonly Measurement[]>,
  of: { readonly day: string; readonly scale: number },
): Row {
  const servers: Record<string, Figures> = {};
  let runs = 0;
  for (const [server, all] of measured) {
    servers[server] = figuresOf(all);
    runs = all.length;
  }
  return { name: scenario.name, ...of, runs, servers };
}
