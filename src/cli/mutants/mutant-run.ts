/**
 * Looks for the seed that catches a mutant. A failing seed counts only if the changed code ran and
 * the unchanged code passes the same seed. Otherwise it says nothing about the mutant.
 */
import { fileURLToPath } from "node:url";
import { knownSeeds } from "../../verify/mutation/known-seeds.js";
import type { Mutant } from "../../verify/mutation/types.js";
import type { SeedRange } from "../sim-flags.js";
import type { SeedLine } from "../sim-run.js";

export type MutantVerdict =
  | "caught"
  /** Only invariants that the catalogue does not name for this mutant failed. */
  | "caught by another"
  | "missed"
  /** No seed ran the changed code. */
  | "not covered"
  /** No check flagged this control, as expected. */
  | "clean"
  /** A check flagged this control, so the check is wrong. */
  | "flagged"
  | "does not apply"
  /** The build does not finish; the text says why. */
  | "broken";

export interface MutantResult {
  readonly id: string;
  readonly title: string;
  readonly isControl: boolean;
  readonly verdict: MutantVerdict;
  /** The invariant that caught the mutant. */
  readonly invariant: string;
  readonly seed: number | undefined;
  /** Seeds and milliseconds of simulation until the mutant was caught, or in total. */
  readonly seeds: number;
  readonly ms: number;
  /** How often the changed code ran. */
  readonly ran: number;
  /** Seeds that fail without the bug too, and do not count. */
  readonly skipped: number;
  /** Number of faults and requests of the shrunk plan, if requested. */
  readonly size: number | undefined;
  readonly text: string;
}

/**
 * What `lockstep sim --json` printed. `error` is set if it ended with another exit code than the
 * known ones.
 */
export interface SimOutput {
  readonly lines: readonly SeedLine[];
  readonly error: string | undefined;
}

export interface MutantRunParts {
  /** Runs `lockstep sim` of a build, or of the unchanged code. */
  run(main: string, words: readonly string[]): Promise<SimOutput>;
  /** The unchanged code. */
  readonly ownMain: string;
  /** Seeds to try one after the other, until one catches. */
  readonly ranges: readonly SeedRange[];
  /** True: leave out the seeds that are known to catch the mutant. */
  readonly isFresh: boolean;
  /** True: shrink failing plans, to report their size. */
  readonly shrink: boolean;
}

/**
 * True if the result is the expected one: caught by an invariant that the catalogue names, or for a
 * control not flagged. A mutant that only another invariant catches does not show what it was made
 * to show.
 */
export function isGood({ verdict }: MutantResult): boolean {
  return verdict === "caught" || verdict === "clean";
}

/** Says in words what to try next; empty: nothing. */
export function adviceOn({ id, verdict }: MutantResult, ranges: readonly SeedRange[]): string {
  if (!["missed", "not covered", "caught by another"].includes(verdict)) return "";
  const to = ranges.at(-1)?.to ?? 0;
  return `next: lockstep sim --mutants --only ${id} --fresh --seeds ${to + 1}..${4 * to + 1}`;
}

/** The result of a mutant that could not be built. */
export function notApplied(mutant: Mutant, text: string): MutantResult {
  const { id, title } = mutant;
  return {
    ...{ id, title, isControl: mutant.isControl === true, verdict: "does not apply" },
    ...{ invariant: "", seed: undefined, seeds: 0, ms: 0, ran: 0, skipped: 0, size: undefined },
    text,
  };
}

/** True if the catalogue names this invariant: "C5" also means its rules, such as "C5-ordered". */
export function isExpected({ caughtBy }: Mutant, invariant: string): boolean {
  return caughtBy.some((name) => invariant === name || invariant.startsWith(`${name}-`));
}

/** Of a checkout, seen from the sources and from the compiled code. */
const planFolder = new URL("../../../src/verify/sim/plans/", import.meta.url);

/** After this many seeds that another invariant caught, chance cannot be the cause. */
const othersMax = 20;

export class MutantRun {
  readonly #parts: MutantRunParts;
  readonly #unchanged: Map<string, Promise<boolean>>;
  readonly #mutant: Mutant;
  readonly #main: string;
  #seeds = 0;
  #ms = 0;
  #ran = 0;
  #skipped = 0;
  /** The first seed that failed by an invariant that the catalogue does not name. */
  #another: SeedLine | undefined;
  #others = 0;

  /** @param unchanged results of the unchanged code; all runs share them */
  constructor(
    mutant: Mutant,
    main: string,
    context: MutantRunParts & { readonly unchanged: Map<string, Promise<boolean>> },
  ) {
    this.#mutant = mutant;
    this.#main = main;
    this.#parts = context;
    this.#unchanged = context.unchanged;
  }

  async find(): Promise<MutantResult> {
    const { isFresh, ranges } = this.#parts;
    const known = isFresh ? undefined : knownSeeds[this.#mutant.id];
    const isControl = this.#mutant.isControl === true;
    const { plan } = this.#mutant;
    if (plan !== undefined && !isFresh) {
      const file = fileURLToPath(new URL(plan, planFolder));
      const result = await this.#search({ from: 0, to: 0 }, ["--plan", file]);
      if (result !== undefined) return result;
    }
    if (known !== undefined && !isControl) {
      const result = await this.#search({ from: known, to: known });
      if (result !== undefined) return result;
    }
    for (const range of ranges) {
      if (this.#others >= othersMax) break;
      const result = await this.#search(range);
      if (result !== undefined) return result;
    }
    if (this.#another !== undefined) return this.#result("caught by another", this.#another);
    if (this.#ran === 0) return this.#result("not covered");
    return this.#result(isControl ? "clean" : "missed");
  }

  /** `plan`: flags that replace the seeds. */
  async #search(
    { from, to }: SeedRange,
    plan: readonly string[] = [],
  ): Promise<MutantResult | undefined> {
    for (let next = from; next <= to; ) {
      const words = [...this.#wordsOf({ from: next, to }), ...plan];
      const { lines, error } = await this.#parts.run(this.#main, words);
      this.#count(lines);
      if (error !== undefined) return this.#result("broken", undefined, error);
      const failure = lines.at(-1);
      if (failure === undefined || failure.verdict === "ok") return undefined;
      next = failure.seed + 1;
      if (failure.mutantRan === 0 || !(await this.#passesUnchanged(failure.seed, plan))) {
        this.#skipped++;
        continue;
      }
      if (this.#mutant.isControl === true) return this.#result("flagged", failure);
      if (isExpected(this.#mutant, failure.invariant)) return this.#result("caught", failure);
      this.#another ??= failure;
      if (++this.#others >= othersMax) return undefined;
    }
    return undefined;
  }

  #count(lines: readonly SeedLine[]): void {
    this.#seeds += lines.length;
    for (const { ms } of lines) this.#ms += ms;
    // Within a process the count goes on from seed to seed.
    this.#ran += lines.at(-1)?.mutantRan ?? 0;
  }

  #passesUnchanged(seed: number, plan: readonly string[]): Promise<boolean> {
    const words = [...this.#wordsOf({ from: seed, to: seed }), ...plan];
    const key = words.join(" ");
    const running =
      this.#unchanged.get(key) ??
      this.#parts
        .run(this.#parts.ownMain, words)
        .then(({ lines, error }) => error === undefined && lines.at(-1)?.verdict === "ok");
    this.#unchanged.set(key, running);
    return running;
  }

  #wordsOf({ from, to }: SeedRange): readonly string[] {
    const flags = [...(this.#parts.shrink ? ["--size"] : []), ...(this.#mutant.flags ?? [])];
    return ["--seeds", `${from}..${to}`, "--jobs", "1", "--stop-at-first", "--json", ...flags];
  }

  #result(verdict: MutantVerdict, failure?: SeedLine, text = failure?.text ?? ""): MutantResult {
    return {
      ...notApplied(this.#mutant, text),
      verdict,
      invariant: failure?.invariant ?? "",
      seed: failure?.seed,
      seeds: this.#seeds,
      ms: this.#ms,
      ran: this.#ran,
      skipped: this.#skipped,
      size: failure?.size,
    };
  }
}
