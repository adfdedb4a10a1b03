/**
 * `lockstep sim --mutants`: puts each known bug into a copy of the compiled code and runs the
 * simulator there. Exit 0: the simulator caught every bug and flagged no control. 1: otherwise. 2:
 * wrong usage.
 */
import path from "node:path";
import { parseArgs } from "node:util";
import { mutants } from "../../verify/mutation/catalogue.js";
import { processMutants } from "../../verify/mutation/process-mutants.js";
import type { Mutant } from "../../verify/mutation/types.js";
import type { Invariant } from "../../verify/sim/invariants.js";
import { invariantsOf, seedsOf, whole } from "../sim-flags.js";
import {
  buildMutant,
  type MutantBuild,
  notApplying,
  ownDist,
  productionCode,
} from "./mutant-build.js";
import { findNeededSeed } from "./mutant-needed.js";
import { runSimProcess } from "./mutant-process.js";
import { Reseeding, reseedRanges, seedsFiles } from "./mutant-reseed.js";
import {
  isExpected,
  isGood,
  type MutantResult,
  MutantRun,
  type MutantRunParts,
  notApplied,
} from "./mutant-run.js";
import { scoreOf, tableHead, tableRow, totals } from "./mutant-table.js";
import { missingNames, sourceFolder } from "./mutant-types.js";

const usage = `Usage: lockstep sim --mutants [flags]

Puts each known bug into a copy of this program and shows that the simulator catches it.
docs/mutants.md lists the bugs.

  --only M07,M11   these mutants (all)
  --seeds A..B     seeds to try, after the known one (1..60)
  --fresh          do not try the known seed first
  --jobs N         mutants at a time (2)
  --shrink         shrink each failing plan and print its size
  --json           one line of JSON for each mutant

  --check          only say which mutants do not apply any more, or use a name that is gone; seconds
  --without I14    find the seed where I14 alone catches a mutant that names it
  --reseed         find the seeds of all mutants and of needed.ts, and write known-seeds.ts

A seed that fails counts only if the changed code ran and the unchanged code passes that seed.

Exit: 0 every bug was caught where the catalogue says and no control was, 1 not so, 2 wrong usage.
`;

type Command = "run" | "check" | "without" | "reseed";

interface Flags {
  readonly command: Command;
  readonly chosen: readonly Mutant[];
  readonly jobs: number;
  readonly isJson: boolean;
  readonly without: readonly Invariant[];
  readonly parts: MutantRunParts;
}

type Context = MutantRunParts & { readonly unchanged: Map<string, Promise<boolean>> };

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
  const commands: Readonly<Record<Command, (flags: Flags) => Promise<number>>> = {
    ...{ run: runCatalogue, check: runCheck, without: runWithout, reseed: runReseed },
  };
  try {
    // Without the parser no mutant can be built: print that once.
    await productionCode();
    return await commands[flags.command](flags);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    return 1;
  }
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
      check: { type: "boolean" },
      without: { type: "string" },
      reseed: { type: "boolean" },
    },
  });
  const ids = values.only?.toUpperCase().split(",");
  const unknown = ids?.find((id) => !mutants.some((mutant) => mutant.id === id));
  if (unknown !== undefined) throw new Error(`--only: there is no mutant ${unknown}`);
  const commands = (["check", "without", "reseed"] as const).filter(
    (name) => values[name] !== undefined,
  );
  if (commands.length > 1) throw new Error(`give one of --${commands.join(", --")}`);
  const [command = "run"] = commands;
  const own = values.seeds === undefined ? undefined : [seedsOf(values.seeds)];
  return {
    command,
    chosen: mutants.filter((mutant) => ids === undefined || ids.includes(mutant.id)),
    jobs: whole("--jobs", values.jobs ?? "2", 1, 64),
    isJson: values.json ?? false,
    without: [...invariantsOf("--without", values.without ?? "")],
    parts: {
      run: runSimProcess,
      ownMain: path.join(ownDist, "cli", "main.js"),
      ranges: own ?? (command === "reseed" ? reseedRanges : [{ from: 1, to: 60 }]),
      isFresh: values.fresh ?? false,
      shrink: values.shrink ?? false,
    },
  };
}

async function runCatalogue(flags: Flags): Promise<number> {
  const { isJson, parts } = flags;
  const startedMs = performance.now();
  if (!isJson) process.stdout.write(tableHead);
  const results: MutantResult[] = [];
  await forEach(flags, flags.chosen, async (mutant, context) => {
    const result = await tryMutant(mutant, context);
    results.push(result);
    process.stdout.write(isJson ? `${JSON.stringify(result)}\n` : tableRow(result));
  });
  const ms = Math.round(performance.now() - startedMs);
  const summary = { summary: true, ...scoreOf(results), ms };
  process.stdout.write(isJson ? `${JSON.stringify(summary)}\n` : totals(results, ms, parts.ranges));
  return results.every(isGood) ? 0 : 1;
}

/** Checks that all patches still apply, and use only names that exist. */
async function runCheck(flags: Flags): Promise<number> {
  const chosen = [...flags.chosen, ...processMutants];
  const root = sourceFolder(ownDist);
  const lacking = root === undefined ? [] : await missingNames(chosen, root);
  const reasons = new Map([...(await notApplying(chosen)), ...lacking]);
  for (const reason of reasons.values()) process.stdout.write(`${reason}\n`);
  const names =
    root === undefined ? "; without sources and compiler their names were not checked" : "";
  const applying = chosen.length - reasons.size;
  process.stdout.write(`${applying} of ${chosen.length} mutants apply${names}\n`);
  return reasons.size === 0 ? 0 : 1;
}

/** Finds a seed for needed.ts: one where only one check catches a mutant. */
async function runWithout(flags: Flags): Promise<number> {
  let isFound = false;
  for (const invariant of flags.without) {
    const named = flags.chosen.filter((mutant) => isExpected(mutant, invariant));
    await forEach(flags, named, async (mutant, { run, ranges }) => {
      const build = await buildMutant(mutant);
      try {
        const search = { main: build.main, invariant, flags: mutant.flags ?? [] };
        const seed = await findNeededSeed(run, search, ranges);
        isFound ||= seed !== undefined;
        const told = seed === undefined ? "not alone in these seeds" : `seed ${seed}`;
        process.stdout.write(`${invariant}: "${mutant.id}", ${told}\n`);
      } finally {
        build.remove();
      }
    });
    if (named.length === 0) process.stdout.write(`${invariant}: no mutant names it\n`);
  }
  process.stdout.write(
    isFound
      ? "The pair goes into needed.ts; --reseed writes its seed.\n"
      : `Try further seeds: --seeds ${(flags.parts.ranges.at(-1)?.to ?? 0) + 1}..N\n`,
  );
  return isFound ? 0 : 1;
}

async function runReseed(flags: Flags): Promise<number> {
  seedsFiles();
  const context = { ...flags.parts, unchanged: new Map<string, Promise<boolean>>() };
  const reseeding = new Reseeding(context, (line) => process.stdout.write(`${line}\n`));
  await forEach(flags, flags.chosen, (mutant) => reseeding.find(mutant));
  const [source] = reseeding.write();
  const { kept, moved, missing } = reseeding;
  process.stdout.write(`${kept} seeds kept, ${moved} moved, in ${source}\n`);
  if (missing.length === 0) return 0;
  const tried = flags.parts.ranges.map(({ from, to }) => `${from}..${to}`).join(", ");
  process.stdout.write(`Not found in ${tried}: ${missing.join(", ")}\n`);
  return 1;
}

/** Runs `work` for each item, several at a time. */
async function forEach(
  { jobs, parts }: Flags,
  list: readonly Mutant[],
  act: (mutant: Mutant, context: Context) => Promise<void>,
): Promise<void> {
  const waiting = [...list];
  const context = { ...parts, unchanged: new Map<string, Promise<boolean>>() };
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      await act(next, context);
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
}

async function tryMutant(mutant: Mutant, context: Context): Promise<MutantResult> {
  let build: MutantBuild;
  try {
    build = await buildMutant(mutant);
  } catch (error) {
    return notApplied(mutant, (error as Error).message);
  }
  try {
    return await new MutantRun(mutant, build.main, context).find();
  } finally {
    build.remove();
  }
}
