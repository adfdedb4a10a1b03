/** The `lockstep sim` command: what it prints, its exit codes, what it leaves of a failure. */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildMutant, type MutantBuild } from "../../src/cli/mutants/mutant-build.js";
import { mutants } from "../../src/verify/mutation/catalogue.js";

const root = path.resolve(import.meta.dirname, "../..");
const main = path.join(root, "dist/cli/main.js");
let folder: string;

beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "lockstep-sim-test-"));
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

function sim(words: readonly string[], program = main) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, "sim", ...words], {
    cwd: folder,
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

test("clean seeds: exit 0, the rate and the simulated time are told", () => {
  const { status, stdout } = sim(["--seeds", "1..4", "--jobs", "2"]);
  expect(stdout).toMatch(/^Faults, in so many of 4 seeds: .*\b[1-4], .*\b0(, \w+ 0)*$/m);
  expect(stdout).toMatch(/4 passed, 0 failed: [\d.]+ seeds\/s, \d+ s simulated in [\d.]+ s/);
  expect(status).toBe(0);
  expect(fs.readdirSync(folder)).toEqual([]);
});

test("shards share the seeds, each has its own", () => {
  const seedsOf = (shard: string): number[] => {
    const { stdout } = sim(["--seeds", "1..5", "--shard", shard, "--jobs", "1", "--json"]);
    const lines = stdout.trim().split("\n");
    return lines.flatMap((line) => (JSON.parse(line) as { seed?: number }).seed ?? []);
  };
  expect(seedsOf("0/2")).toEqual([1, 3, 5]);
  expect(seedsOf("1/2")).toEqual([2, 4]);
});

test.each([
  [["--seeds", "9..1"], /give a range/],
  [["--seeds", "x"], /give a range/],
  [["--shard", "3/3"], /give I\/N/],
  [["--members", "0"], /whole number from 1/],
  [["--minutes=-1"], /number above 0/],
  [["--speed"], /--speed/],
  [["--plan", "not-there.json"], /not-there\.json/],
  [["--mutants", "--only", "M99"], /M99/],
  [["--without", "X1"], /no check reports X1/],
])("%j is refused with exit 2", (words, message) => {
  const { status, stderr } = sim(words);
  expect(stderr).toMatch(message);
  expect(status).toBe(2);
});

describe("a store with the bug of etcd #13766", () => {
  let build: MutantBuild;
  beforeAll(async () => {
    const mutant = mutants.find(({ id }) => id === "M02");
    if (mutant === undefined) throw new Error("no M02");
    build = await buildMutant(mutant, path.join(root, "dist"));
  });
  afterAll(() => build.remove());

  test("is caught within 50 seeds, and shrunk to at most 12 events, the same ones each time", () => {
    const words = ["--seeds", "1..50", "--stop-at-first", "--jobs", "1"];
    const first = sim([...words, "--out", "a"], build.main);
    expect(first.stdout).toMatch(/S2: .*wrong content/);
    expect(first.status).toBe(1);
    const [name] = fs.readdirSync(path.join(folder, "a"));
    const left = path.join(folder, "a", name ?? "");
    expect(fs.readdirSync(left).sort()).toEqual([
      "history.html",
      "history.jsonl",
      "plan.json",
      "report.txt",
      "space-time.svg",
      "space-time.txt",
      "trace.ndjson",
    ]);
    const plan = fs.readFileSync(path.join(left, "plan.json"), "utf8");
    const { faults, ops } = JSON.parse(plan) as { faults: unknown[]; ops: unknown[] };
    expect(faults.length + ops.length).toBeLessThanOrEqual(12);
    expect(sim([...words, "--out", "b"], build.main).status).toBe(1);
    expect(fs.readFileSync(path.join(folder, "b", name ?? "", "plan.json"), "utf8")).toBe(plan);
    // The plan alone shows it again, and is clean where the bug is not.
    const file = path.join(left, "plan.json");
    expect(sim(["--plan", file, "--out", "c"], build.main).status).toBe(1);
    expect(sim(["--plan", file]).status).toBe(0);
  });
});
