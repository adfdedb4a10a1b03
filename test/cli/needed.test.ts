/**
 * Every check earns its place: with it a mutant is caught, without it the same run passes. That each
 * check is named in needed.ts is a matter of types.
 */
import path from "node:path";
import { describe, expect, test } from "vitest";
import { buildMutant } from "../../src/cli/mutants/mutant-build.js";
import { findNeededSeed } from "../../src/cli/mutants/mutant-needed.js";
import { runSimProcess } from "../../src/cli/mutants/mutant-process.js";
import { mutants } from "../../src/verify/mutation/catalogue.js";
import { neededSeeds } from "../../src/verify/mutation/known-seeds.js";
import { neededPairs } from "../../src/verify/mutation/needed.js";

const root = path.resolve(import.meta.dirname, "../..");
/** Only if the known seed has ceased to show it: `lockstep sim --mutants --reseed` finds the next. */
const otherSeeds = { from: 1, to: 60 };

// As many at a time as vitest.config.ts says: each is a process of its own on one core.
describe.concurrent("without this check a mutant goes uncaught:", () => {
  // All of them take minutes: .ci/run asks for that.
  const isAll = process.env.LOCKSTEP_CAMPAIGNS === "1";
  const cases = isAll ? neededPairs : neededPairs.filter((_, at) => at % 5 === 0);
  // The search for another seed may take minutes.
  const options = { timeout: 300_000 };
  test.each(cases)("$invariant", options, async ({ invariant, mutant: id }) => {
    const mutant = mutants.find((known) => known.id === id);
    if (mutant === undefined) throw new Error(`no mutant ${id}`);
    const build = await buildMutant(mutant, path.join(root, "dist"));
    const search = { main: build.main, flags: mutant.flags ?? [], invariant };
    const known = neededSeeds[invariant];
    const first = known === undefined ? [] : [{ from: known, to: known }];
    try {
      const seed = await findNeededSeed(runSimProcess, search, [...first, otherSeeds]);
      expect(seed).toBeDefined();
    } finally {
      build.remove();
    }
  });
});
