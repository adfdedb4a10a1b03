/**
 * `lockstep torture` against this build, for some seconds; and what it says when it cannot run. The
 * history that it writes must be one that `lockstep check` reads and finds right.
 */
import { spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { cleanEnv } from "../../src/cli/stage/server-process.js";
import { eventually } from "../robustness/incident.js";
import { bytes } from "../support/client.js";
import { Cluster } from "../support/cluster.js";
import { isMissing } from "../support/server-kind.js";
import { launcher, lockstepIn, type Ran } from "./command.js";

const folder = mkdtempSync(join(tmpdir(), "lockstep-torture-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Gap {
  readonly member: string;
  readonly longestMs: number;
}
const longestOf = ({ longestMs }: Gap): number => longestMs;

const lockstep = (...words: readonly string[]): Promise<Ran> => lockstepIn(folder, ...words);

/** Arguments of processes whose data is in this folder (Linux). */
function left(report: string): readonly string[] {
  return readdirSync("/proc").flatMap((pid) => {
    try {
      const args = readFileSync(`/proc/${pid}/cmdline`, "utf8");
      return args.includes(`--data-dir=${report}`) ? [args] : [];
    } catch {
      // No process, or it ended a moment ago.
      return [];
    }
  });
}

describe.skipIf(isMissing("lockstep"))("lockstep torture", () => {
  test("a short run is clean, and leaves a history that can be checked, and no process", async () => {
    const report = join(folder, "clean");
    const faults = [
      { atMs: 1_200, kind: "kill", members: ["leader"], forMs: 200, variant: 0 },
      { atMs: 2_200, kind: "full-disk", members: ["m2"], forMs: 700, variant: 0 },
    ];
    const planned = join(folder, "plan.json");
    // The second fault waits for the first to end, and there is none after the end of the run.
    writeFileSync(planned, JSON.stringify({ seed: 5, durationMs: 10_000, faults }));
    const words = ["--profile", "mixed", "--duration", "10s", "--plan", planned];
    const ran = await lockstep("torture", ...words, "--seed", "5", "--report", report);
    expect(ran).toMatchObject({ code: 0, error: "" });
    expect(ran.out).toMatch(/\d+ operations, \d+ acknowledged; \d of \d faults; 0 violations/);
    expect(ran.out).toMatch(/^CLEAN: every promise held in \d+ operations and \d+ watches$/m);
    const json = JSON.parse(readFileSync(join(report, "report.json"), "utf8"));
    expect(json).toMatchObject({ schema: 2, verdict: "clean", findings: [] });
    expect(json.tried.faults).toEqual({ kill: 1, "full-disk": 1 });
    // The member stopped for it, and that is no end by itself.
    expect(readFileSync(join(report, "m2.log"), "utf8")).toMatch(/"fatal".*ENOSPC/);
    expect(Object.keys(json.tried.operations).sort()).toEqual(
      ["delete", "put", "range", "serializable range", "txn"].sort(),
    );
    const plan = JSON.parse(readFileSync(join(report, "plan.json"), "utf8"));
    expect(plan).toMatchObject({ seed: 5, durationMs: 10_000, faults });
    expect((await lockstep("check", join(report, "history.jsonl"))).code).toBe(0);
    expect(readFileSync(join(report, "report.html"), "utf8")).toContain("seed 5: clean");
    expect(existsSync(join(report, "m1.data"))).toBe(false);
    expect(left(report)).toEqual([]);
  }, 120_000);

  test("a signal ends it with its members, and nothing is called clean", async () => {
    const report = join(folder, "aborted");
    const words = ["torture", "--duration", "60s", "--members", "1", "--report", report];
    const child = spawn(process.execPath, [launcher, ...words], { cwd: folder, env: cleanEnv() });
    let out = "";
    child.stdout.on("data", (chunk) => {
      out += String(chunk);
    });
    const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
    await eventually("it runs", async () => /acknowledged/.test(out), 60_000);
    child.kill("SIGINT");
    expect(await ended).toBe(2);
    expect(out).not.toContain("CLEAN");
    expect(left(report)).toEqual([]);
  }, 120_000);

  test("a cluster that others use: its own keys only, and none is left", async () => {
    const cluster = await Cluster.start({ kind: "lockstep" });
    try {
      const { client } = cluster.first;
      await client.put({ key: bytes("mine"), value: bytes("stays") });
      let isOver = false;
      const others = (async () => {
        while (!isOver) await client.put({ key: bytes("other"), value: bytes("v") });
      })();
      const report = join(folder, "endpoints");
      const words = [
        "--endpoints",
        cluster.first.endpoint,
        "--duration",
        "1s",
        "--profile",
        "mixed",
        "--seed",
        "4",
      ];
      const ran = await lockstep("torture", ...words, "--report", report);
      isOver = true;
      await others;
      expect(ran).toMatchObject({ code: 0, error: "" });
      expect(ran.out).toMatch(/^CLEAN: every promise held in \d+ operations and 1 watches$/m);
      const { kvs } = await client.range({ key: bytes("\0"), range_end: bytes("\0") });
      expect(kvs.map(({ key }) => String(key))).toEqual(["mine", "other"]);

      await client.put({ key: bytes("lockstep-torture/x"), value: bytes("of another run") });
      const refused = await lockstep("torture", ...words, "--report", report);
      expect(refused.code).toBe(2);
      expect(refused.error).toMatch(/has keys under lockstep-torture\/: another run is on/);
    } finally {
      await cluster.dispose();
    }
  }, 120_000);

  test("a cut member answers nobody until the cut is over", async () => {
    const report = join(folder, "cut");
    const plan = join(folder, "cut-plan.json");
    const cut = { atMs: 1_500, kind: "cut", members: ["m1"], forMs: 4_000, variant: 0 };
    writeFileSync(plan, JSON.stringify({ seed: 1, durationMs: 8_000, faults: [cut] }));
    const words = ["--plan", plan, "--faults", "network", "--duration", "8s", "--report", report];
    const ran = await lockstep("torture", ...words);
    expect(ran).toMatchObject({ code: 0, error: "" });
    const { tried, availability } = JSON.parse(readFileSync(join(report, "report.json"), "utf8"));
    expect(tried).toMatchObject({ faults: { cut: 1 }, comparisons: 1 });
    const longest = (member: string): number =>
      Math.max(0, ...availability.filter((gap: Gap) => gap.member === member).map(longestOf));
    expect(longest("m1")).toBeGreaterThan(2_500);
    expect(longest("m1")).toBeGreaterThan(longest("m2") + 500);
  }, 120_000);

  test("cannot run a binary that is not there, or not etcd", async () => {
    const refused = (etcd: string): Promise<Ran> =>
      lockstep("torture", "--etcd", etcd, "--report", join(folder, "refused"));
    const [missing, other] = await Promise.all([refused("/nowhere/etcd"), refused("/bin/echo")]);
    expect(missing).toMatchObject({
      code: 2,
      error: expect.stringMatching(/cannot be run: .*ENOENT/),
    });
    expect(other).toMatchObject({
      code: 2,
      error: expect.stringMatching(/does not say that it is etcd/),
    });
  });

  test("a target that dies at its start, and two reports as one", async () => {
    const dying = join(folder, "dying-etcd");
    const script = 'if [ "$1" = --version ]; then echo "etcd Version: 3.5.99"; exit 0; fi';
    writeFileSync(dying, `#!/bin/sh\n${script}\necho "bind: address already in use"; exit 7\n`);
    chmodSync(dying, 0o755);
    const report = join(folder, "dies");
    const ran = await lockstep("torture", "--etcd", dying, "--report", report);
    expect(ran.code).toBe(2);
    expect(ran.error).toMatch(/m\d did not start: exit code 7; its log ends:\n.*--name=m\d/);
    expect(ran.error).toMatch(/bind: address already in use/);
    expect(left(report)).toEqual([]);

    const run = { seed: 1, profile: "mixed" };
    const tried = { operations: { put: 3 }, faults: { kill: 1 }, comparisons: 1 };
    const all = { schema: 2, target: "t", text: "it broke", run, tried };
    for (const verdict of ["clean", "violation"]) {
      mkdirSync(join(folder, "many", verdict), { recursive: true });
      const text = JSON.stringify({ ...all, verdict });
      writeFileSync(join(folder, "many", verdict, "report.json"), text);
    }
    const merged = await lockstep("torture", "merge", join(folder, "many"));
    expect(merged).toMatchObject({ code: 1, error: "" });
    expect(merged.out).toMatch(/^VIOLATION: it broke$/m);
    expect(merged.out).toMatch(/^2 runs: 1 clean, 1 violation\noperations: 6 put\n/m);
    const none = await lockstep("torture", "merge", report);
    expect(none).toMatchObject({ code: 2, error: expect.stringMatching(/no report.json below/) });
  });

  test("an issue of etcd that this build does not have: exit 0", async () => {
    const report = join(folder, "reproduced");
    const ran = await lockstep("torture", "--reproduce", "18089", "--report", report);
    expect(ran).toMatchObject({ code: 0, error: "" });
    expect(ran.out).toMatch(/a watch from 3 got the revisions 3, 4\nKEPT, after/);
    expect(left(report)).toEqual([]);
  }, 60_000);

  test.skipIf(isMissing("etcd34"))(
    "an issue that etcd 3.4.23 has: exit 1",
    async () => {
      const report = join(folder, "shown");
      const words = ["--reproduce", "18089", "--etcd", "/usr/bin/etcd", "--report", report];
      const ran = await lockstep("torture", ...words);
      expect(ran.code).toBe(1);
      expect(ran.out).toMatch(/a watch from 3 got the revisions 4\nBROKEN, after/);
    },
    60_000,
  );

  test("does not write into a folder that holds other files", async () => {
    const report = join(folder, "other");
    mkdirSync(report);
    writeFileSync(join(report, "thesis.txt"), "mine");
    const ran = await lockstep("torture", "--report", report);
    expect(ran.code).toBe(2);
    expect(ran.error).toMatch(/holds "thesis.txt", which is not of a torture run/);
    expect(readFileSync(join(report, "thesis.txt"), "utf8")).toBe("mine");
  });
});
