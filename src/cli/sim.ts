/** `lockstep sim`: the simulator's commands. */
import fs from "node:fs";
import type { Plan } from "../verify/sim/plan/plan.js";
import { decodePlan } from "../verify/sim/plan/plan-file.js";
import { generatePlan } from "../verify/sim/plan/plan-generator.js";
import { runPlan } from "../verify/sim/run-plan.js";
import { runMutants } from "./mutants/sim-mutants.js";
import { processIo, runSimDesigns } from "./sim-designs.js";
import { parseSimFlags, type SimFlags, simUsage } from "./sim-flags.js";
import { reportFailure } from "./sim-report.js";
import { defaultJobs, lineOf, runJobs, runSeeds, type SeedLine, SimTally } from "./sim-run.js";

export async function runSim(words: readonly string[]): Promise<number> {
  const [command, ...rest] = words;
  if (command === "designs") return runSimDesigns(rest, processIo);
  if (words.includes("--mutants")) return runMutants(words);
  if (command === "help" || words.includes("--help") || words.includes("-h")) {
    process.stdout.write(simUsage);
    return 0;
  }
  let flags: SimFlags;
  try {
    flags = parseSimFlags(words, defaultJobs());
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${simUsage}`);
    return 2;
  }
  return runCampaign(flags);
}

async function runCampaign(flags: SimFlags): Promise<number> {
  const tally = new SimTally();
  if (flags.plan !== undefined) return runPlanFile(flags, flags.plan);
  const told = (line: SeedLine): boolean => {
    tally.add(line);
    if (flags.isJson) print(JSON.stringify(line));
    else if (line.verdict !== "ok") print(failureText(line));
    const progress = flags.isJson ? undefined : tally.progress();
    if (progress !== undefined) print(progress);
    return flags.stopAtFirst && line.verdict !== "ok";
  };
  if (flags.jobs === 1) runSeeds(flags, told);
  else {
    const failure = await runJobs(flags, told);
    if (failure !== undefined) {
      process.stderr.write(`${failure}\n`);
      return 70;
    }
  }
  const { seeds } = tally;
  const ms = Math.round(tally.elapsedMs());
  if (flags.isJson) print(JSON.stringify({ summary: true, seeds, ms }));
  else {
    const [first] = tally.failures;
    if (first !== undefined) report(planOf(first.seed, flags), first.invariant, flags);
    print(tally.faultsText());
    print(tally.text());
  }
  return tally.exitCode();
}

/** Runs one plan from a file, and prints whether it still fails, and how. */
function runPlanFile(flags: SimFlags, file: string): number {
  let plan: Plan;
  try {
    plan = decodePlan(fs.readFileSync(file, "utf8"));
  } catch (error) {
    process.stderr.write(`${file}: ${(error as Error).message}\n`);
    return 2;
  }
  const tally = new SimTally();
  const startedMs = performance.now();
  const result = runPlan(plan, { without: flags.without });
  const line = lineOf(plan.seed, result, performance.now() - startedMs);
  tally.add(line);
  if (flags.isJson) {
    print(JSON.stringify(line));
    print(JSON.stringify({ summary: true, seeds: 1, ms: line.ms }));
  } else {
    if (line.verdict !== "ok") report(plan, line.invariant, { ...flags, shrink: false });
    print(tally.text());
  }
  return tally.exitCode();
}

/** Reports the first failure in detail; further ones often have the same cause. */
function report(plan: Plan, invariant: string, flags: SimFlags): void {
  const { folder, text } = reportFailure(plan, invariant, {
    out: flags.out ?? "lockstep-sim",
    shrink: flags.shrink,
    without: flags.without,
  });
  print(`\n${text}\nPlan, report, history, pictures and trace: ${folder}\n`);
}

function planOf(seed: number, { isBeyondAtlas, members }: SimFlags): Plan {
  return generatePlan(seed, { isBeyondAtlas, members });
}

function failureText({ seed, invariant, text }: SeedLine): string {
  return `seed ${seed}: ${invariant}: ${text} (again: lockstep sim --seed ${seed})`;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
