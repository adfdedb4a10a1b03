/**
 * Looks for the seed that shows that a check is needed: with the check the seed catches a mutant,
 * and without the check the same seed passes. So no other check would have found the bug.
 */
import type { Invariant } from "../../verify/sim/invariants.js";
import type { SeedRange } from "../sim-flags.js";
import type { MutantRunParts } from "./mutant-run.js";

export interface NeededSearch {
  /** The program with the mutant in it, and the flags that the mutant needs. */
  readonly main: string;
  readonly flags: readonly string[];
  readonly invariant: Invariant;
}

/**
 * Seeds per process. With fewer, starting processes costs too much; with more, a process runs many
 * seeds after the wanted one.
 */
const seedsAtATime = 30;

/** @throws Error if the program does not finish */
export async function findNeededSeed(
  run: MutantRunParts["run"],
  search: NeededSearch,
  ranges: readonly SeedRange[],
): Promise<number | undefined> {
  for (const { from, to } of ranges) {
    for (let first = from; first <= to; first += seedsAtATime) {
      const last = Math.min(to, first + seedsAtATime - 1);
      const seed = await findAmong(run, search, { from: first, to: last });
      if (seed !== undefined) return seed;
    }
  }
  return undefined;
}

async function findAmong(
  run: MutantRunParts["run"],
  { main, flags, invariant }: NeededSearch,
  { from, to }: SeedRange,
): Promise<number | undefined> {
  const linesOf = async (range: string, ...more: readonly string[]) => {
    const { lines, error } = await run(main, [
      ...["--seeds", range, "--jobs", "1", "--json", ...flags, ...more],
    ]);
    if (error !== undefined) throw new Error(error);
    return lines;
  };
  const lines = await linesOf(`${from}..${to}`);
  for (const { seed } of lines.filter((line) => line.invariant === invariant)) {
    const [line] = await linesOf(`${seed}..${seed}`, "--without", invariant);
    if (line?.verdict === "ok") return seed;
  }
  return undefined;
}
