import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { logFindings } from "./log-findings.js";

const folder = mkdtempSync(join(tmpdir(), "lockstep-log-findings-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function findings(text: string, isDiskHarmed = false): readonly string[] {
  const file = join(folder, "m1.log");
  writeFileSync(file, text);
  return logFindings("m1", { file, isDiskHarmed });
}

test("a panic of Go and a broken invariant are findings, an ordinary line is none", () => {
  expect(findings('{"level":"info","msg":"ready to serve client requests"}\n')).toEqual([]);
  expect(findings('{"level":"warn"}\npanic: tocommit(9) is out of range\ngoroutine 1\n')).toEqual([
    "m1 said: panic: tocommit(9) is out of range",
  ]);
  expect(findings("InvariantViolation: the log would have a gap\n")).toHaveLength(1);
});

test("a wrong state is one unless a disk was harmed on purpose", () => {
  const line = '{"level":"error","msg":"quarantine: this member\'s state is wrong"}\n';
  expect(findings(line)).toEqual([expect.stringMatching(/^m1 came to a wrong state although/)]);
  expect(findings(line, true)).toEqual([]);
});

test("a log that is not there says nothing", () => {
  expect(logFindings("m1", { file: join(folder, "none"), isDiskHarmed: false })).toEqual([]);
});
