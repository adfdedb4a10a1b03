/** Writes the results of mutants for people: a row each, and how many were caught. */

import type { SeedRange } from "../sim-flags.js";
import { adviceOn, isGood, type MutantResult, type MutantVerdict } from "./mutant-run.js";

export interface MutantScore {
  /** The number of mutants, controls left out. */
  readonly mutants: number;
  readonly caught: number;
  /** Mutants that only another invariant caught. They do not count as caught. */
  readonly byAnother: number;
  readonly controls: number;
  readonly clean: number;
  /** The percentage of caught mutants, rounded down: 100 means all. */
  readonly percent: number;
}

export function scoreOf(results: readonly MutantResult[]): MutantScore {
  const count = (verdict: MutantVerdict): number =>
    results.filter((result) => result.verdict === verdict).length;
  const controls = results.filter(({ isControl }) => isControl).length;
  const mutants = results.length - controls;
  const byAnother = count("caught by another");
  const caught = count("caught");
  const percent = mutants === 0 ? 100 : Math.floor((1000 * caught) / mutants) / 10;
  return { mutants, caught, byAnother, controls, clean: count("clean"), percent };
}

const widths = [4, 17, 30, 5, 10, 4];

export const tableHead = rowOf(["id", "verdict", "caught by", "seeds", "time", "plan", "title"]);

export function tableRow(result: MutantResult): string {
  const { id, verdict, invariant, seed, seeds, ms, size, title, skipped } = result;
  const note = skipped === 0 ? "" : ` (${skipped} seeds left out: they fail without it too)`;
  return rowOf([
    id,
    verdict,
    invariant === "" ? "" : `${invariant}, seed ${seed}`,
    `${seeds}`,
    `${ms} ms`,
    size === undefined ? "" : `${size}`,
    `${title}${note}`,
  ]);
}

/** The last lines of a table: the score, and every result that is not as expected. */
export function totals(
  results: readonly MutantResult[],
  ms: number,
  ranges: readonly SeedRange[],
): string {
  const { mutants, caught, byAnother, controls, clean, percent } = scoreOf(results);
  const bad = results.filter((result) => !isGood(result));
  return [
    "",
    `Mutation score ${percent} %: ${caught} of ${mutants} caught, ${byAnother} only by another invariant than the catalogue names.`,
    `Controls: ${clean} of ${controls} clean. ${(ms / 1000).toFixed(1)} s.`,
    ...bad.map((result) => {
      const { id, verdict, text, invariant } = result;
      const why = [invariant, text, adviceOn(result, ranges)].filter((part) => part !== "");
      return `${[`${id}: ${verdict}`, ...why].join(": ")}`;
    }),
    "",
  ].join("\n");
}

function rowOf(cells: readonly string[]): string {
  const isNumber = (at: number): boolean => at >= 3 && at <= 5;
  const padded = cells.map((cell, at) => {
    const width = widths[at] ?? 0;
    return isNumber(at) ? cell.padStart(width) : cell.padEnd(width);
  });
  return `${padded.join("  ").trimEnd()}\n`;
}
