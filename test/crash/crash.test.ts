/**
 * Sudden death under load, a few rounds of it; `npx tsx test/crash/run.ts` does the long run.
 * LOCKSTEP_SEED=<number> repeats the choices of a run, LOCKSTEP_CRASH_ROUNDS their number.
 */
import { describe, expect, test } from "vitest";
import { runSeed } from "../support/seeded-rng.js";
import { isMissing, subject } from "../support/server-kind.js";
import { crashRounds } from "./rounds.js";

const seed = runSeed();
const rounds = Number(process.env.LOCKSTEP_CRASH_ROUNDS ?? 4);

describe.skipIf(isMissing(subject))("sudden death under load", () => {
  test.each([1, 3])(
    "%i member(s)",
    async (size) => {
      const load = await crashRounds({
        kind: subject,
        size,
        rounds,
        writers: 200,
        seed: seed + size,
        tornTailPercent: subject === "lockstep" ? 20 : 0,
        report: (line) => console.log(line),
      });
      expect(load.acknowledged).toBeGreaterThan(rounds * 10);
    },
    60_000 + rounds * 20_000,
  );
});
