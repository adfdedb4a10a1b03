/** `lockstep check` as a process: its exit codes. src/cli/check.test.ts tests what it prints. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { cleanEnv } from "../../src/cli/stage/server-process.js";
import { projectRoot } from "../support/server-kind.js";

const folder = mkdtempSync(join(tmpdir(), "lockstep-check-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function run(...words: readonly string[]) {
  return spawnSync(process.execPath, [join(projectRoot, "bin/lockstep"), "check", ...words], {
    cwd: folder,
    env: cleanEnv({}),
    encoding: "utf8",
    timeout: 30_000,
  });
}

function checkText(text: string, ...words: readonly string[]) {
  writeFileSync(join(folder, "history"), text);
  return run("history", ...words);
}

const row = (process: number, type: string, kind: string, value: string) =>
  `INFO  jepsen.util - ${process}\t:${type}\t:${kind}\t${value}\n`;
const writeThenRead = (read: string) =>
  row(0, "invoke", "write", "3") +
  row(1, "invoke", "cas", "[7 8]") +
  row(0, "ok", "write", "3") +
  row(1, "info", "cas", ":timed-out") +
  row(2, "invoke", "read", "nil") +
  row(2, "ok", "read", read);

test("linearizable: 0", () => {
  const { status, stdout } = checkText(writeThenRead("3"));
  expect(stdout).toMatch(/: 3 operations, 1 without an answer\nlinearizable\n\d+ steps, \d+ ms\n$/);
  expect(status).toBe(0);
});

test("not linearizable: 1", () => {
  const { status, stdout } = checkText(writeThenRead("4"));
  expect(stdout).toContain("First operation that cannot be placed, in line 5:");
  expect(status).toBe(1);
});

test("undecided: 2", () => {
  const writes = Array.from({ length: 200 }, (_, at) => row(at, "invoke", "write", `${at}`));
  const reads = row(900, "invoke", "read", "nil") + row(900, "ok", "read", "999");
  const { status, stdout } = checkText(writes.join("") + reads, "--timeout", "0.000001");
  expect(stdout).toContain("unknown: the time is up");
  expect(status).toBe(2);
});

test.each([
  ["an empty file", "", "history: line 1: the file is empty"],
  ["a file cut short", writeThenRead("3").slice(0, -8), "history: line 6: "],
  ["no history", "\x7fELF\0\0", "history: line 1: "],
])("%s: 2, with the line", (_, text, message) => {
  const { status, stdout, stderr } = checkText(text);
  expect(stderr).toContain(`lockstep check: ${message}`);
  expect(stderr.trim().split("\n")).toHaveLength(1);
  expect(stdout).toBe("");
  expect(status).toBe(2);
});

test("no file: 2", () => {
  const { status, stderr } = run("absent");
  expect(stderr).toMatch(/^lockstep check: absent: ENOENT/);
  expect(status).toBe(2);
});
