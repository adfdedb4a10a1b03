/** Bugs that `lockstep torture` finds on real processes, each with what it must say of it. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { isMissing } from "../support/server-kind.js";
import { lockstepIn, type Ran } from "./command.js";

const folder = mkdtempSync(join(tmpdir(), "lockstep-process-mutants-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function torture(mutant: string, ...words: readonly string[]): Promise<Ran> {
  const report = join(folder, mutant);
  const flags = ["--mutant", mutant, "--seed", "1", "--report", report];
  return lockstepIn(folder, "torture", ...flags, ...words);
}

describe.skipIf(isMissing("lockstep"))("lockstep torture finds", () => {
  // The seed draws three snapshots that are read slowly; the first, after 3 s, is enough.
  test("X4: defragmentation closes the view that a snapshot is read from", async () => {
    const ran = await torture("X4", "--profile", "large", "--faults", "none", "--duration", "15s");
    expect(ran).toMatchObject({ code: 1, error: "" });
    expect(ran.out).toMatch(/m\d said: .*InvariantViolation: read of a closed snapshot/);
    expect(ran.out).toMatch(/a Snapshot of m\d failed although nothing harmed the cluster: /);
  }, 120_000);

  test("L1: a member serves what its leader's log lacks", async () => {
    const fault = { atMs: 1_000, kind: "lost-majority", forMs: 1_000, variant: 0 };
    const faults = [{ ...fault, members: ["m1", "m2", "m3"] }];
    const plan = join(folder, "plan.json");
    writeFileSync(plan, JSON.stringify({ seed: 1, durationMs: 3_000, faults }));
    const words = ["--profile", "mixed", "--faults", "lost-majority", "--duration", "3s"];
    const ran = await torture("L1", ...words, "--plan", plan);
    expect(ran).toMatchObject({ code: 1, error: "" });
    expect(ran.out).toMatch(/m\d serves a state up to revision \d+ that its leader's log does not/);
  }, 120_000);
});
