/** The machine and the table of a bench run, as Markdown. */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { cpus, release, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import type { Measurement, Scenario } from "./scenario.js";

const SYNCS = 300;

/** Mean milliseconds of one 4 KiB write and fdatasync where the members keep their data. */
function syncMs(): number {
  const folder = mkdtempSync(join(tmpdir(), "lockstep-bench-"));
  const file = openSync(join(folder, "sync"), "w");
  const block = Buffer.alloc(4_096, 1);
  const startedAt = performance.now();
  for (let i = 0; i < SYNCS; i++) {
    writeSync(file, block);
    fdatasyncSync(file);
  }
  const each = (performance.now() - startedAt) / SYNCS;
  closeSync(file);
  rmSync(folder, { recursive: true });
  return each;
}

export function describeMachine(): string {
  const list = cpus();
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  return [
    `${list.length} x ${list[0]?.model ?? "unknown processor"}, ${memory} memory`,
    `Linux ${release()}, Node ${process.version}`,
    `4 KiB write + fdatasync ${syncMs().toFixed(2)} ms`,
    "client, servers and all members on this machine, loopback",
  ].join("; ");
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((x, y) => x - y);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

export interface Row {
  readonly scenario: Scenario;
  readonly runs: readonly Measurement[];
}

interface Cell {
  readonly perSecond: number;
  readonly text: string;
}

function cell(runs: readonly Measurement[]): Cell {
  const of = (field: (run: Measurement) => number): number => median(runs.map(field));
  const perSecond = of((run) => run.perSecond);
  const latency = `${of((run) => run.p50Ms).toFixed(2)} / ${of((run) => run.p99Ms).toFixed(2)}`;
  const cpu = of((run) => (run.cpuSeconds / run.requests) * 1e6).toFixed(1);
  const rss = Math.round(of((run) => run.peakRssBytes) / 2 ** 20);
  return { perSecond, text: `${Math.round(perSecond)} | ${latency} | ${cpu} | ${rss}` };
}

/** Medians over the runs of each server; ratio: the last server's rate over the first's. */
export function table(rows: readonly Row[], servers: readonly string[]): string {
  const columns = servers.map(
    (server) => `${server} /s | p50 / p99 ms | CPU µs each | peak RSS MiB`,
  );
  const head = `| what | ${columns.join(" | ")} | ratio |`;
  const count = 2 + 4 * servers.length;
  const lines = rows.map(({ scenario, runs }) => {
    const cells = servers.map((server) => cell(runs.filter((run) => run.server === server)));
    const ratio = (cells.at(-1)?.perSecond ?? 0) / (cells[0]?.perSecond ?? 1);
    return `| ${scenario.name} | ${cells.map(({ text }) => text).join(" | ")} | ${ratio.toFixed(2)} |`;
  });
  return [head, `|${" --- |".repeat(count)}`, ...lines].join("\n");
}
