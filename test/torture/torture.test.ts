/**
 * `lockstep torture` against this build, for some seconds; and what it says when it cannot run. The
 * history that it writes must be one that `lockstep check` reads and finds right.
 */
import { execFile, spawn } from "node:child_process";
import {
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
import { isMissing, projectRoot } from "../support/server-kind.js";

const launcher = join(projectRoot, "bin/lockstep");
const folder = mkdtempSync(join(tmpdir(), "lockstep-torture-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

function lockstep(...words: readonly string[]): Promise<Ran> {
  return new Promise((resolve) => {
    const args = [launcher, ...words];
    execFile(process.execPath, args, { env: cleanEnv(), cwd: folder }, (failure, out, error) => {
      resolve({ code: Number(failure?.code ?? 0), out, error });
    });
  });
}

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
    const ran = await lockstep("torture", "--duration", "4s", "--seed", "5", "--report", report);
    expect(ran).toMatchObject({ code: 0, error: "" });
    expect(ran.out).toMatch(/\d+ operations, \d+ acknowledged; \d of \d faults; 0 violations/);
    expect(ran.out).toMatch(/^CLEAN: every promise held in \d+ operations and \d+ watches$/m);
    const json = JSON.parse(readFileSync(join(report, "report.json"), "utf8"));
    expect(json).toMatchObject({ schema: 1, verdict: "clean", findings: [] });
    expect(Object.keys(json.tried.operations).sort()).toEqual(
      ["delete", "put", "range", "serializable range", "txn"].sort(),
    );
    const plan = JSON.parse(readFileSync(join(report, "plan.json"), "utf8"));
    expect(plan).toMatchObject({ seed: 5, durationMs: 4_000 });
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
