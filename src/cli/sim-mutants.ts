/**
 * `lockstep sim --mutants`: puts each known bug into a copy of the compiled code and runs the
 * simulator there. Exit 0: every bug was caught and no control was; 1: not; 2: wrong usage.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { mutants } from "../verify/mutants/catalogue.js";
import { knownSeeds } from "../verify/mutants/known-seeds.js";
import type { Mutant } from "../verify/mutants/types.js";
import { buildMutant, type MutantBuild } from "./mutant-build.js";
import type { SeedLine } from "./sim-run.js";

const usage = `Usage: lockstep sim --mutants [flags]

Puts each known bug into a copy of this program and shows that the simulator catches it.

  --only M07,M11   these mutants (all)
  --seeds A..B     seeds to try, after the known one (1..60)
  --fresh          do not try the known seed first
  --jobs N         mutants at a time (2)
  --shrink         shrink each failing plan and print its size
  --json           one line of JSON for each mutant
`;

export interface MutantResult {
  readonly id: string;
  readonly title: string;
  readonly verdict:
    | "caught"
    | "caught by another"
    | "missed"
    | "not covered"
    | "clean"
    | "flagged"
    | "does not apply";
  readonly invariant: string;
  readonly text: string;
  readonly seed: number;
  /** Runs until it was caught, and their milliseconds. */
  readonly seeds: number;
  readonly ms: number;
  /** Faults and requests of the shrunk plan. */
  readonly size: number | undefined;
}

interface Flags {
  readonly chosen: readonly Mutant[];
  readonly seeds: string;
  readonly isFresh: boolean;
  readonly jobs: number;
  readonly shrink: boolean;
  readonly isJson: boolean;
}

export async function runMutants(words: readonly string[]): Promise<number> {
  if (words.includes("--help") || words.includes("-h")) {
    process.stdout.write(usage);
    return 0;
  }
  let flags: Flags;
  try {
    flags = parse(words);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${usage}`);
    return 2;
  }
  const results: MutantResult[] = [];
  const waiting = [...flags.chosen];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const result = await tryMutant(next, flags);
      results.push(result);
      process.stdout.write(flags.isJson ? `${JSON.stringify(result)}\n` : row(result));
    }
  };
  // Copies are removed and children ended on the way out.
  process.once("SIGINT", () => process.exit(130));
  const startedMs = performance.now();
  await Promise.all(Array.from({ length: flags.jobs }, work));
  const isGood = ({ verdict }: MutantResult): boolean =>
    verdict === "caught" || verdict === "caught by another" || verdict === "clean";
  if (!flags.isJson) process.stdout.write(summary(results, performance.now() - startedMs));
  return results.every(isGood) ? 0 : 1;
}

function parse(words: readonly string[]): Flags {
  const { values } = parseArgs({
    args: words.filter((word) => word !== "--mutants"),
    options: {
      only: { type: "string" },
      seeds: { type: "string" },
      fresh: { type: "boolean" },
      jobs: { type: "string" },
      shrink: { type: "boolean" },
      json: { type: "boolean" },
    },
  });
  const ids = values.only?.split(",");
  const unknown = ids?.find((id) => !mutants.some((mutant) => mutant.id === id));
  if (unknown !== undefined) throw new Error(`--only: there is no mutant ${unknown}`);
  const seeds = values.seeds ?? "1..60";
  if (!/^\d+\.\.\d+$/.test(seeds)) throw new Error(`--seeds ${seeds}: give a range such as 1..60`);
  const jobs = Number(values.jobs ?? 2);
  if (!Number.isInteger(jobs) || jobs < 1) throw new Error("--jobs: give a number above 0");
  return {
    chosen: mutants.filter((mutant) => ids === undefined || ids.includes(mutant.id)),
    seeds,
    isFresh: values.fresh ?? false,
    jobs,
    shrink: values.shrink ?? false,
    isJson: values.json ?? false,
  };
}

async function tryMutant(mutant: Mutant, flags: Flags): Promise<MutantResult> {
  let build: MutantBuild;
  try {
    build = buildMutant(mutant);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    return { ...judge(mutant, []), verdict: "does not apply" };
  }
  try {
    const known = flags.isFresh ? undefined : knownSeeds[mutant.id];
    const lines: SeedLine[] = [];
    if (known !== undefined) lines.push(...(await runCopy(build.main, [`--seed=${known}`], flags)));
    const isCaught = lines.some(({ verdict }) => verdict !== "ok");
    if (!isCaught) lines.push(...(await runCopy(build.main, [`--seeds=${flags.seeds}`], flags)));
    return judge(mutant, lines);
  } finally {
    build.remove();
  }
}

/** Runs the simulator of a copy until its first failure. */
async function runCopy(
  main: string,
  words: readonly string[],
  flags: Flags,
): Promise<readonly SeedLine[]> {
  const shrink = flags.shrink ? ["--size"] : [];
  const child = spawn(
    process.execPath,
    [main, "sim", ...words, ...shrink, "--jobs=1", "--stop-at-first", "--json"],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const stop = endWith(child);
  const lines: SeedLine[] = [];
  try {
    for await (const text of createInterface({ input: child.stdout })) {
      const line = JSON.parse(text) as SeedLine | { readonly summary: true };
      if (!("summary" in line)) lines.push(line);
    }
    if (child.exitCode === null) await new Promise((resolve) => child.once("close", resolve));
  } finally {
    stop();
  }
  if (![0, 1, 3, 4].includes(child.exitCode ?? -1)) {
    throw new Error(`a mutant's simulator ended with code ${child.exitCode}`);
  }
  return lines;
}

/** The child ends with us; gives what takes that back. */
function endWith(child: ChildProcess): () => void {
  const kill = (): void => {
    child.kill("SIGKILL");
  };
  process.once("exit", kill);
  return () => process.off("exit", kill);
}

function judge(mutant: Mutant, lines: readonly SeedLine[]): MutantResult {
  const failure = lines.find(({ verdict }) => verdict !== "ok");
  const ran = lines.at(-1)?.mutantRan ?? 0;
  const base = {
    id: mutant.id,
    title: mutant.title,
    invariant: failure?.invariant ?? "",
    text: failure?.text ?? "",
    seed: failure?.seed ?? 0,
    seeds: lines.length,
    ms: lines.reduce((sum, { ms }) => sum + ms, 0),
    size: failure?.size,
  };
  if (mutant.isControl === true) {
    const isIdle = failure === undefined && ran === 0;
    const verdict = failure !== undefined ? "flagged" : isIdle ? "not covered" : "clean";
    return { ...base, verdict };
  }
  if (failure === undefined) return { ...base, verdict: ran === 0 ? "not covered" : "missed" };
  const isExpected = mutant.caughtBy.some((name) => isOrWithin(failure.invariant, name));
  return { ...base, verdict: isExpected ? "caught" : "caught by another" };
}

/** "C5-ordered" is one of C5. */
function isOrWithin(invariant: string, name: string): boolean {
  return invariant === name || invariant.startsWith(`${name}-`);
}

function row(result: MutantResult): string {
  const { id, verdict, invariant, seed, seeds, ms, size, title } = result;
  const place = invariant === "" ? "" : `${invariant}, seed ${seed}`;
  const plan = size === undefined ? "" : `plan ${size}`;
  const cells = [
    id.padEnd(5),
    verdict.padEnd(17),
    place.padEnd(24),
    `${seeds} seeds`.padEnd(10),
    `${ms} ms`.padStart(9),
    plan.padEnd(9),
    title,
  ];
  return `${cells.join(" ")}\n`;
}

function summary(results: readonly MutantResult[], ms: number): string {
  const controls = results.filter(({ verdict }) => verdict === "clean" || verdict === "flagged");
  const real = results.length - controls.length;
  const count = (...verdicts: readonly MutantResult["verdict"][]): number =>
    results.filter(({ verdict }) => verdicts.includes(verdict)).length;
  const caught = count("caught", "caught by another");
  const score = real === 0 ? 100 : (100 * caught) / real;
  return [
    "",
    `Mutation score ${score.toFixed(1)} %: ${caught} of ${real} caught (${count("caught by another")} by another invariant than listed), ${count("missed")} missed, ${count("not covered")} not covered, ${count("does not apply")} that do not apply.`,
    `Controls: ${count("clean")} clean, ${count("flagged")} flagged. ${(ms / 1000).toFixed(1)} s.`,
    "",
  ].join("\n");
}
