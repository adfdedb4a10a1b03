/**
 * `lockstep sim`: runs seeds and prints the result of each. Exit 0: all clean. 1: an invariant was
 * violated. 3: a cluster did not recover. 4: a member stopped by itself. 2: the command line is
 * wrong. With several jobs, child processes run the same command, one shard each.
 */
import { spawn } from "node:child_process";
import os from "node:os";
import { createInterface } from "node:readline";
import { faultKinds } from "../verify/sim/plan/fault-kinds.js";
import { generatePlan } from "../verify/sim/plan/plan-generator.js";
import { sizeOf } from "../verify/sim/plan/shrink.js";
import { type RunResult, runPlan } from "../verify/sim/run-plan.js";
import type { SimFlags } from "./sim-flags.js";
import { shrunk } from "./sim-report.js";

export type RunVerdict = "ok" | "violation" | "liveness" | "crash";

/** One line of `--json`. */
export interface SeedLine {
  readonly seed: number;
  readonly verdict: RunVerdict;
  readonly invariant: string;
  readonly text: string;
  readonly ms: number;
  readonly simulatedMs: number;
  readonly events: number;
  readonly traceHash: number;
  /** How often the changed code of a mutant ran. */
  readonly mutantRan: number;
  /** Size of the shrunk plan, if requested: faults and requests. */
  readonly size?: number;
  /** The kinds of faults that took effect. */
  readonly faults: readonly string[];
}

const exitCodes: Readonly<Record<RunVerdict, number>> = {
  ok: 0,
  violation: 1,
  liveness: 3,
  crash: 4,
};

/** Sums up a run of seeds for people and for `--json`. */
export class SimTally {
  readonly #startedMs = performance.now();
  #printedMs = this.#startedMs;
  seeds = 0;
  simulatedMs = 0;
  readonly failures: SeedLine[] = [];
  /** In how many seeds each kind of fault took effect. */
  readonly #faults = new Map<string, number>(
    Object.keys(faultKinds).map((kind) => [kind, 0] as const),
  );

  add(line: SeedLine): void {
    this.seeds++;
    this.simulatedMs += line.simulatedMs;
    if (line.verdict !== "ok") this.failures.push(line);
    for (const kind of line.faults) this.#faults.set(kind, (this.#faults.get(kind) ?? 0) + 1);
  }

  /** Says for people in how many seeds each fault occurred, the most frequent first. */
  faultsText(): string {
    const counts = [...this.#faults].sort(([, a], [, b]) => b - a);
    const told = counts.map(([kind, seeds]) => `${kind} ${seeds}`);
    return `Faults, in so many of ${this.seeds} seeds: ${told.join(", ")}`;
  }

  elapsedMs(): number {
    return performance.now() - this.#startedMs;
  }

  /** A line of progress, at most every ten seconds; otherwise undefined. */
  progress(): string | undefined {
    if (performance.now() - this.#printedMs < 10_000) return undefined;
    this.#printedMs = performance.now();
    return this.text();
  }

  text(): string {
    const seconds = this.elapsedMs() / 1000;
    const rate = (this.seeds / seconds).toFixed(1);
    const simulated = (this.simulatedMs / 1000).toFixed(0);
    const speed = (this.simulatedMs / 1000 / seconds).toFixed(0);
    const failed = this.failures.length;
    return `${this.seeds - failed} passed, ${failed} failed: ${rate} seeds/s, ${simulated} s simulated in ${seconds.toFixed(1)} s (${speed}x real time)`;
  }

  exitCode(): number {
    const worst = this.failures[0];
    return worst === undefined ? 0 : exitCodes[worst.verdict];
  }
}

export function lineOf(seed: number, result: RunResult, ms: number): SeedLine {
  const invariant = result.violation?.invariant ?? "";
  const ran = (globalThis as { __lockstepMutantRan?: number }).__lockstepMutantRan ?? 0;
  return {
    seed,
    verdict: verdictOf(invariant),
    invariant,
    text: result.violation?.message ?? "",
    ms: Math.round(ms),
    simulatedMs: Math.round(result.simulatedMs),
    events: result.events,
    traceHash: result.traceHash,
    mutantRan: ran,
    faults: result.faults,
  };
}

function verdictOf(invariant: string): RunVerdict {
  if (invariant === "") return "ok";
  return invariant === "liveness" || invariant === "crash" ? invariant : "violation";
}

/** Runs the seeds of this shard in this process; `told` returns true to stop the run. */
export function runSeeds(flags: SimFlags, told: (line: SeedLine) => boolean): void {
  const endMs = performance.now() + (flags.minutes ?? Number.POSITIVE_INFINITY) * 60_000;
  const first = flags.from + flags.shard.at;
  for (let seed = first; seed <= flags.to; seed += flags.shard.of) {
    if (performance.now() > endMs) return;
    const startedMs = performance.now();
    const { isBeyondAtlas, members } = flags;
    const plan = generatePlan(seed, { isBeyondAtlas, members });
    const result = runPlan(plan, { without: flags.without });
    if (flags.isTwice && runPlan(plan).traceHash !== result.traceHash) {
      throw new Error(
        `seed ${seed} gives two different traces: the simulator is not deterministic`,
      );
    }
    const line = lineOf(seed, result, performance.now() - startedMs);
    const isSized = flags.isSized && line.verdict !== "ok";
    const size = isSized ? sizeOf(shrunk(plan, line.invariant, flags.without)) : undefined;
    if (told(size === undefined ? line : { ...line, size })) return;
  }
}

/** Runs the seeds in child processes, one for each job. Their lines arrive in any order. */
export async function runJobs(
  flags: SimFlags,
  told: (line: SeedLine) => boolean,
): Promise<string | undefined> {
  const children = Array.from({ length: flags.jobs }, (_, at) => {
    const shard = `${flags.shard.at + at * flags.shard.of}/${flags.shard.of * flags.jobs}`;
    const words = [...flags.words, "--shard", shard, "--jobs", "1", "--json"];
    const main = process.argv[1] as string;
    return spawn(process.execPath, [...process.execArgv, main, "sim", ...words], {
      stdio: ["ignore", "pipe", "inherit"],
    });
  });
  let isOver = false;
  const ends = children.map(async (child) => {
    for await (const text of createInterface({ input: child.stdout })) {
      const line = JSON.parse(text) as SeedLine | { summary: true };
      if ("summary" in line || isOver) continue;
      isOver = told(line);
      if (isOver) for (const other of children) other.kill();
    }
    if (child.exitCode === null && child.signalCode === null) {
      await new Promise((resolve) => child.once("close", resolve));
    }
    // A failed seed has been printed already. Any other end is the child's own failure.
    const isKnown = child.signalCode !== null || [0, 1, 3, 4].includes(child.exitCode ?? -1);
    return isKnown ? undefined : `a job ended with code ${child.exitCode}`;
  });
  return (await Promise.all(ends)).find((failure) => failure !== undefined);
}

export function defaultJobs(): number {
  return Math.max(1, os.availableParallelism());
}
