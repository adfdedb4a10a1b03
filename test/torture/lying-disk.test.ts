/**
 * A disk that loses what it said that it had synced. One such disk costs nothing: the member gets it
 * back, or refuses to start and is replaced. If all members have one, acknowledged writes are gone,
 * and the run says so.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { isMissing } from "../support/server-kind.js";
import { lockstepIn, type Ran } from "./command.js";

const folder = mkdtempSync(join(tmpdir(), "lockstep-lying-disk-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Lie {
  readonly atMs: number;
  readonly members: readonly string[];
  /** 0: log and backend lose what is new. 1: only the log does. */
  readonly variant: number;
}

/** One run with these faults, and the remarks in its time line. */
async function run(
  name: string,
  seconds: number,
  lies: readonly Lie[],
): Promise<Ran & { readonly notes: readonly string[] }> {
  const report = join(folder, name);
  const plan = join(folder, `${name}.json`);
  const faults = lies.map((lie) => ({ ...lie, kind: "lying-disk", forMs: 1_500 }));
  writeFileSync(plan, JSON.stringify({ seed: 1, durationMs: seconds * 1_000, faults }));
  const words = ["--profile", "mixed", "--faults", "lying-disk", "--duration", `${seconds}s`];
  const flags = [...words, "--seed", "1", "--plan", plan, "--report", report];
  const ran = await lockstepIn(folder, "torture", ...flags);
  const records = readFileSync(join(report, "history.jsonl"), "utf8").trim().split("\n");
  const marks = records.map((line) => JSON.parse(line).mark).filter((mark) => mark !== undefined);
  const notes = marks.filter(({ kind }) => kind === "note").map(({ text }) => String(text));
  return { ...ran, notes };
}

describe.skipIf(isMissing("lockstep"))("a disk that never synced, and a power failure", () => {
  test("one member at a time: clean", async () => {
    // The second follows the first, however long that takes: there is much time left.
    const ran = await run("one", 16, [
      { atMs: 1_000, members: ["leader"], variant: 0 },
      { atMs: 2_000, members: ["m2"], variant: 1 },
    ]);
    expect(ran).toMatchObject({ code: 0, error: "" });
    expect(ran.out).toMatch(/^CLEAN: /m);
    expect(ran.notes).toEqual([
      expect.stringMatching(/^m\d: log and backend are as before$/),
      "m2: the log is as before",
      // Its backend has what the log lacks.
      "m2 refuses to start, and is replaced",
    ]);
  }, 120_000);

  test("all members: the loss is told", async () => {
    const members = ["m1", "m2", "m3"];
    const ran = await run("all", 6, [{ atMs: 1_500, members, variant: 0 }]);
    expect(ran).toMatchObject({ code: 1, error: "" });
    expect(ran.out).toMatch(/^VIOLATION: /m);
    expect(ran.notes).toHaveLength(3);
  }, 120_000);
});
