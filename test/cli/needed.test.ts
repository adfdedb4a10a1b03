/**
 * Every check earns its place: with it a mutant is caught, without it the same run passes. A check
 * that is named nowhere fails here, so nobody adds one without a bug that needs it.
 */
import { execFile } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { buildMutant } from "../../src/cli/mutant-build.js";
import { mutants } from "../../src/verify/mutants/catalogue.js";
import { needed, sooner } from "../../src/verify/mutants/needed.js";
import { watchRules } from "../../src/verify/validators/validate-watches.js";

const run = promisify(execFile);
const root = path.resolve(import.meta.dirname, "../..");
/** Only if the seed in the list has ceased to show it. */
const seedsToSearch = 60;

interface Line {
  readonly seed?: number;
  readonly verdict?: string;
  readonly invariant?: string;
}

async function simLines(main: string, words: readonly string[]): Promise<readonly Line[]> {
  const flags = ["sim", "--json", "--no-shrink", "--jobs", "1", ...words];
  const { stdout } = await run(process.execPath, [main, ...flags], { maxBuffer: 2 ** 28 }).catch(
    // A caught mutant ends with another code than 0.
    (error: { readonly stdout: string }) => error,
  );
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Line)
    .filter((line) => line.seed !== undefined);
}

/** True if some of these seeds fails by the invariant, and passes when nobody looks at it. */
async function isShownBy(
  main: string,
  invariant: string,
  words: readonly string[],
  flags: readonly string[] = [],
): Promise<boolean> {
  const lines = await simLines(main, [...words, ...flags]);
  for (const { seed } of lines.filter((line) => line.invariant === invariant)) {
    const [line] = await simLines(main, [
      ...["--seed", String(seed), "--without", invariant],
      ...flags,
    ]);
    if (line?.verdict === "ok") return true;
  }
  return false;
}

// As many at a time as vitest.config.ts says: each is a process of its own on one core.
describe.concurrent("without this check a mutant goes uncaught:", () => {
  const all = Object.entries(needed);
  // All of them take minutes: .ci/run asks for that.
  const cases =
    process.env["LOCKSTEP_CAMPAIGNS"] === "1" ? all : all.filter((_, at) => at % 5 === 0);
  test.each(cases)("%s", async (invariant, { mutant: id, seed }) => {
    const mutant = mutants.find((known) => known.id === id);
    if (mutant === undefined) throw new Error(`no mutant ${id}`);
    const { flags } = mutant;
    const build = buildMutant(mutant, path.join(root, "dist"));
    try {
      const isShown =
        (await isShownBy(build.main, invariant, ["--seed", String(seed)], flags)) ||
        (await isShownBy(build.main, invariant, ["--seeds", `1..${seedsToSearch}`], flags));
      expect(isShown).toBe(true);
    } finally {
      build.remove();
    }
  });
});

test("every check of the simulator and every rule of watches is in one of the lists", () => {
  const folder = path.join(root, "src/verify/sim/checks");
  const names = new Set(watchRules.map(({ id }) => `C5-${id}`));
  for (const file of fs.readdirSync(folder)) {
    const text = fs.readFileSync(path.join(folder, file), "utf8");
    for (const [, name] of text.matchAll(/(?:report|Report)\(\s*"([IMSCVG]\d*)"/g)) {
      names.add(name as string);
    }
  }
  expect(names.size).toBeGreaterThan(30);
  const listed = [...Object.keys(needed), ...Object.keys(sooner)];
  expect([...names].filter((name) => !listed.includes(name))).toEqual([]);
});
