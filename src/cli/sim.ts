/** `lockstep sim`: the simulator's commands. */
import { processIo, runSimDesigns } from "./sim-designs.js";
import { parseSimFlags, type SimFlags, simUsage } from "./sim-flags.js";
import { defaultJobs, runJobs, runSeeds, type SeedLine, SimTally } from "./sim-run.js";

export async function runSim(words: readonly string[]): Promise<number> {
  const [command, ...rest] = words;
  if (command === "designs") return runSimDesigns(rest, processIo);
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
  else print(tally.text());
  return tally.exitCode();
}

function failureText({ seed, invariant, text }: SeedLine): string {
  return `seed ${seed}: ${invariant}: ${text} (again: lockstep sim --seed ${seed})`;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
