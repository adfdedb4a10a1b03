/**
 * Bugs that `lockstep torture` finds on real processes, each with what it must say of it. The faults
 * are planned, so that what a bug needs comes to pass early.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { PlannedFault } from "../../src/torture/faults/fault-plan.js";
import { isMissing } from "../support/server-kind.js";
import { lockstepIn } from "./command.js";

const folder = mkdtempSync(join(tmpdir(), "lockstep-process-mutants-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const all = ["m1", "m2", "m3"];

interface Case {
  readonly id: string;
  readonly bug: string;
  readonly seconds: number;
  readonly flags: readonly string[];
  /** Undefined: no fault. */
  readonly fault?: Omit<PlannedFault, "variant">;
  /** What the run must say. */
  readonly says: RegExp;
}

const cases: readonly Case[] = [
  {
    ...{ id: "X1", bug: "an entry is acknowledged before it is written", seconds: 6 },
    flags: ["--profile", "mixed", "--members", "1"],
    fault: { kind: "kill", atMs: 1_500, forMs: 0, members: ["m1"] },
    says: /operation .* and operation .* both say that they made revision \d+/,
  },
  {
    ...{ id: "X2", bug: "a watch that is resumed begins one revision late", seconds: 5 },
    flags: ["--profile", "mixed"],
    fault: { kind: "client-cut", atMs: 1_500, forMs: 300, members: all },
    says: /resumable: watch .* begins at revision (\d+), but never tells of .* at revision \1$/m,
  },
  {
    ...{ id: "M32", bug: "a leader answers reads without a quorum", seconds: 8 },
    flags: ["--profile", "mixed"],
    fault: { kind: "black-hole", atMs: 2_000, forMs: 4_000, members: ["leader"] },
    says: /operation .* comes from before its call, though operation .* had returned/,
  },
  {
    ...{ id: "M47", bug: "a deposed leader lets leases expire", seconds: 12 },
    flags: ["--profile", "leases"],
    fault: { kind: "pause", atMs: 2_500, forMs: 4_000, members: ["leader"] },
    says: /lease \d+ ended \d+ ms before its time: /,
  },
  // The seed draws three snapshots that are read slowly; the first, after 3 s, is enough.
  {
    ...{ id: "X4", bug: "defragmentation closes the view of a snapshot", seconds: 15 },
    flags: ["--profile", "large"],
    says: /a Snapshot of m\d failed although nothing harmed the cluster: /,
  },
  {
    ...{ id: "L1", bug: "a member serves what its leader's log lacks", seconds: 3 },
    flags: ["--profile", "mixed"],
    fault: { kind: "lost-majority", atMs: 1_000, forMs: 1_000, members: all },
    says: /m\d serves a state up to revision \d+ that its leader's log does not have: /,
  },
];

describe.skipIf(isMissing("lockstep"))("lockstep torture finds", () => {
  test.each(cases)(
    "$id: $bug",
    async ({ id, seconds, flags, fault, says }) => {
      const plan = join(folder, `${id}.json`);
      const faults = fault === undefined ? [] : [{ ...fault, variant: 0 }];
      writeFileSync(plan, JSON.stringify({ seed: 1, durationMs: seconds * 1_000, faults }));
      const own = ["--mutant", id, "--seed", "1", "--duration", `${seconds}s`];
      const planned = ["--plan", plan, "--faults", fault?.kind ?? "none"];
      const words = [...own, ...planned, ...flags, "--report", join(folder, id)];
      const ran = await lockstepIn(folder, "torture", ...words);
      expect(ran).toMatchObject({ code: 1, error: "" });
      expect(ran.out).toMatch(says);
    },
    120_000,
  );
});
