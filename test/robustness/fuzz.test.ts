/**
 * A short run of it; `npm run fuzz` does the long run. LOCKSTEP_SEED=<number> draws the same calls again.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runSeed } from "../support/seeded-rng.js";
import { fuzz } from "./fuzz.js";

test("maintenance, faults and big reads against each other: nothing ends, lies or is lost", async () => {
  const seed = runSeed();
  const folder = mkdtempSync(join(tmpdir(), "lockstep-fuzz-"));
  const { violations, table, calls } = await fuzz({
    ...{ seed, folder, heapMb: undefined, report: () => {} },
    ...{ durationMs: 25_000, keys: 1_000, width: 8, overlapsWanted: 4, faultEveryMs: 500 },
  });
  console.log(`seed ${seed}: ${calls} calls; how often two ran at the same time:\n${table}`);
  expect(violations, `LOCKSTEP_SEED=${seed}; logs and data: ${folder}`).toEqual([]);
  rmSync(folder, { recursive: true, force: true });
}, 600_000);
