import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { logFindings } from "./log-findings.js";
import { type LogSpan, LogSpans } from "./log-spans.js";

const folder = mkdtempSync(join(tmpdir(), "lockstep-log-findings-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function findings(
  text: string,
  isDiskHarmed = false,
  fullSpans: readonly LogSpan[] = [],
): readonly string[] {
  const file = join(folder, "m1.log");
  writeFileSync(file, text);
  return logFindings("m1", { file, isDiskHarmed, fullSpans });
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

describe("a panic of Go while the disk is full", () => {
  const before = "müde\n";
  const full = '{"error":"write 0.tmp: no space left on device"}\npanic: no space left on device\n';
  const from = Buffer.byteLength(before);
  const span = { from, to: from + full.length };

  test("is no finding; one before it, after it, or of another cause is", () => {
    expect(findings(`${before}${full}--- etcd\n`, true, [span])).toEqual([]);
    expect(findings(`${before}${full}`, true, [{ from }])).toEqual([]);
    const later = "panic: tocommit(9) is out of range\n";
    expect(findings(`${before}${full}--- etcd\n${later}`, true, [span])).toEqual([
      "m1 said: panic: tocommit(9) is out of range",
    ]);
    const early = { from: from + later.length, to: span.to + later.length };
    expect(findings(`${before}${later}${full}`, true, [early])).toHaveLength(1);
    expect(findings(`${before}${later}`, true, [{ from }])).toHaveLength(1);
  });

  test("its part of the log lasts to the next start of the process", () => {
    const file = join(folder, "m2.log");
    const spans = new LogSpans(() => file);
    spans.end("m2");
    expect(spans.of("m2")).toEqual([]);
    spans.begin("m2");
    writeFileSync(file, "1234");
    spans.begin("m2");
    writeFileSync(file, "12345678");
    spans.end("m2");
    spans.end("m2");
    spans.begin("m2");
    expect(spans.of("m2")).toEqual([{ from: 0, to: 4 }, { from: 4, to: 8 }, { from: 8 }]);
  });

  test("is one where no fault of the run filled the disk", () => {
    expect(findings(`${before}${full}`, true)).toHaveLength(1);
  });
});

test("a log that is not there says nothing", () => {
  expect(
    logFindings("m1", { file: join(folder, "none"), isDiskHarmed: false, fullSpans: [] }),
  ).toEqual([]);
});
