/**
 * `lockstep sim --mutants --reseed`: finds a seed for each mutant and for each pair of needed.ts.
 * It keeps the known seed if that still catches the mutant. It writes all seeds into
 * known-seeds.ts, source and compiled.
 */
import fs from "node:fs";
import { fileURLToPath } from "node:url";
import { mutants } from "../../verify/mutation/catalogue.js";
import { knownSeeds, neededSeeds } from "../../verify/mutation/known-seeds.js";
import { type NeededPair, neededPairs } from "../../verify/mutation/needed.js";
import { seedsText, seedsUrl } from "../../verify/mutation/seeds-file.js";
import type { Mutant } from "../../verify/mutation/types.js";
import type { SeedRange } from "../sim-flags.js";
import { buildMutant } from "./mutant-build.js";
import { findNeededSeed } from "./mutant-needed.js";
import { isGood, MutantRun, type MutantRunParts } from "./mutant-run.js";

/** The ranges to search. Most seeds are in the first; a few mutants need thousands of seeds. */
export const reseedRanges: readonly SeedRange[] = [
  { from: 1, to: 60 },
  { from: 61, to: 400 },
  { from: 401, to: 3_000 },
];

type Context = MutantRunParts & { readonly unchanged: Map<string, Promise<boolean>> };

export class Reseeding {
  readonly #context: Context;
  readonly #tell: (line: string) => void;
  readonly #mutants: Record<string, number> = { ...knownSeeds };
  readonly #needed: Record<string, number> = { ...neededSeeds };
  moved = 0;
  kept = 0;
  /** Mutants and invariants without a seed in the ranges. */
  readonly missing: string[] = [];

  constructor(context: Context, tell: (line: string) => void) {
    this.#context = context;
    this.#tell = tell;
  }

  /** Finds both kinds of seeds of one mutant, in one build. */
  async find(mutant: Mutant): Promise<void> {
    const pairs = neededPairs.filter((pair) => pair.mutant === mutant.id);
    if (mutant.isControl === true && pairs.length === 0) return;
    const build = await buildMutant(mutant).catch((error: Error) => error);
    if (build instanceof Error) {
      for (const name of [mutant.id, ...pairs.map(({ invariant }) => invariant)]) {
        this.#lacks(name, build.message);
      }
      return;
    }
    try {
      const needsSeed = mutant.isControl !== true && mutant.plan === undefined;
      if (needsSeed) await this.#findMutant(mutant, build.main);
      for (const pair of pairs) await this.#findPair(pair, mutant, build.main);
    } finally {
      build.remove();
    }
  }

  async #findMutant(mutant: Mutant, main: string): Promise<void> {
    const result = await new MutantRun(mutant, main, this.#context).find();
    const { id } = mutant;
    if (isGood(result) && result.seed !== undefined) {
      this.#found(this.#mutants, { name: id, seed: result.seed, how: result.invariant });
    } else this.#lacks(id, `${result.verdict} ${result.text}`.trim());
  }

  async #findPair(pair: NeededPair, mutant: Mutant, main: string): Promise<void> {
    const { invariant } = pair;
    const known = this.#needed[invariant];
    const first = known === undefined ? [] : [{ from: known, to: known }];
    const search = { main, invariant, flags: mutant.flags ?? [] };
    const ranges = [...first, ...this.#context.ranges];
    const seed = await findNeededSeed(this.#context.run, search, ranges).catch(
      (error: Error) => error,
    );
    const how = `needed for ${mutant.id}`;
    if (typeof seed === "number") this.#found(this.#needed, { name: invariant, seed, how });
    else this.#lacks(invariant, seed === undefined ? how : `${how}: ${seed.message}`);
  }

  #found(
    seeds: Record<string, number>,
    { name, seed, how }: { readonly name: string; readonly seed: number; readonly how: string },
  ): void {
    const before = seeds[name];
    if (before === seed) {
      this.kept++;
      return;
    }
    this.moved++;
    this.#tell(`${name.padEnd(15)} ${before ?? "none"} -> ${seed}  (${how})`);
    seeds[name] = seed;
    this.write();
  }

  #lacks(name: string, why: string): void {
    this.missing.push(name);
    this.#tell(`${name.padEnd(15)} NOT FOUND: ${why}`);
  }

  /**
   * Removes seeds of mutants that are no longer in the catalogue; a mutant without a found seed
   * keeps its old one. Writes after every seed that it finds, so that a run that is ended early
   * keeps its results.
   */
  write(): readonly string[] {
    const order = mutants.map(({ id }) => id);
    const pairs = neededPairs.map(({ invariant }) => invariant);
    const seeds = {
      mutants: chosen(this.#mutants, order),
      needed: chosen(this.#needed, pairs),
    };
    const [source, compiled] = seedsFiles();
    replaceFile(source, seedsText(seeds, ": Readonly<Record<string, number>>"));
    replaceFile(compiled, seedsText(seeds, ""));
    return [source, compiled];
  }
}

/**
 * Replaces the file as a whole: a process that copies the folder meanwhile gets the old file or the
 * new one.
 */
function replaceFile(file: string, text: string): void {
  fs.writeFileSync(`${file}.new`, text);
  fs.renameSync(`${file}.new`, file);
}

function chosen(seeds: Readonly<Record<string, number>>, names: readonly string[]) {
  return Object.fromEntries(
    names.flatMap((name) => {
      const seed = seeds[name];
      return seed === undefined ? [] : [[name, seed] as const];
    }),
  );
}

/**
 * The source of the seeds and its compiled file.
 *
 * @throws Error if this is not a build in a repository
 */
export function seedsFiles(): readonly [string, string] {
  const compiled = fileURLToPath(seedsUrl);
  const at = compiled.lastIndexOf("/dist/");
  const source = `${compiled.slice(0, at)}/src/${compiled.slice(at + 6).replace(/\.js$/, ".ts")}`;
  if (at < 0 || !fs.existsSync(source)) {
    throw new Error("--reseed writes into the sources: run it in Lockstep's repository");
  }
  return [source, compiled];
}
