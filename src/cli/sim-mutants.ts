/**
 * `lockstep sim --mutants`: puts each known bug into a copy of the compiled code and runs the
 * simulator there. Exit 0: every bug was caught and no control was; 1: not; 2: wrong usage.
 */
import path from "node:path";
import { parseArgs } from "node:util";
import { mutants } from "../verify/mutants/catalogue.js";
import type { Mutant } from "../verify/mutants/types.js";
import { buildMutant, type MutantBuild, ownDist } from "./mutant-build.js";
import { runSimProcess } from "./mutant-process.js";
import {
  isGood,
  type MutantResult,
  MutantRun,
  type MutantRunParts,
  notApplied,
} from "./mutant-run.js";
import { scoreOf, tableHead, tableRow, totals } from "./mutant-table.js";
import { seedsOf, whole } from "./sim-flags.js";

const usage = `Usage: lockstep sim --mutants [flags]

Puts each known bug into a copy of this program and shows that the simulator catches it.
docs/mutants.md lists the bugs.

  --only M07,M11   these mutants (all)
  --seeds A..B     seeds to try, after the known one (1..60)
  --fresh          do not try the known seed first
  --jobs N         mutants at a time (2)
  --shrink         shrink each failing plan and print its size
  --json           one line of JSON for each mutant

A seed that fails counts only if the changed code ran and the unchanged code passes that seed.

Exit: 0 every bug was caught and no control was, 1 not so, 2 wrong usage.
`;

interface Flags {
  readonly chosen: readonly Mutant[];
  readonly jobs: number;
  readonly isJson: boolean;
  readonly parts: MutantRunParts;
}

export async function runMutants(words: readonly string[]): Promise<number> {
  if (words.includes("--help") || words.includes("-h")) {
    process.stdout.write(usage);
    return 0;
  }
  let flags: Flags;
  try {
    flags = parseMutantFlags(words);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${usage}`);
    return 2;
  }
  const { isJson } = flags;
  const startedMs = performance.now();
  if (!isJson) process.stdout.write(tableHead);
  const results = await runAll(flags, (result) => {
    process.stdout.write(isJson ? `${JSON.stringify(result)}\n` : tableRow(result));
  });
  const ms = Math.round(performance.now() - startedMs);
  const summary = { summary: true, ...scoreOf(results), ms };
  process.stdout.write(isJson ? `${JSON.stringify(summary)}\n` : totals(results, ms));
  return results.every(isGood) ? 0 : 1;
}

/** @throws Error with a text for people */
export function parseMutantFlags(words: readonly string[]): Flags {
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
  const ids = values.only?.toUpperCase().split(",");
  const unknown = ids?.find((id) => !mutants.some((mutant) => mutant.id === id));
  if (unknown !== undefined) throw new Error(`--only: there is no mutant ${unknown}`);
  return {
    chosen: mutants.filter((mutant) => ids === undefined || ids.includes(mutant.id)),
    jobs: whole("--jobs", values.jobs ?? "2", 1, 64),
    isJson: values.json ?? false,
    parts: {
      run: runSimProcess,
      ownMain: path.join(ownDist, "cli", "main.js"),
      range: seedsOf(values.seeds ?? "1..60"),
      isFresh: values.fresh ?? false,
      shrink: values.shrink ?? false,
    },
  };
}

/** Several at a time; each result is told as soon as it is there. */
async function runAll(
  { chosen, jobs, parts }: Flags,
  tell: (result: MutantResult) => void,
): Promise<readonly MutantResult[]> {
  const results: MutantResult[] = [];
  const waiting = [...chosen];
  const context = { ...parts, unchanged: new Map<string, Promise<boolean>>() };
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const result = await tryMutant(next, context);
      results.push(result);
      tell(result);
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  return results;
}

async function tryMutant(
  mutant: Mutant,
  context: MutantRunParts & { readonly unchanged: Map<string, Promise<boolean>> },
): Promise<MutantResult> {
  let build: MutantBuild;
  try {
    build = buildMutant(mutant);
  } catch (error) {
    return notApplied(mutant, (error as Error).message);
  }
  try {
    return await new MutantRun(mutant, build.main, context).find();
  } finally {
    build.remove();
  }
}
