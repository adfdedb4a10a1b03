import { expect, test } from "vitest";
import { Durations } from "./durations.js";
import { prometheusText } from "./prometheus-text.js";

function setUp() {
  const world = { nowMs: 0 };
  const lines: unknown[] = [];
  const durations = new Durations({
    ...{ name: "work_seconds", help: "Work.", slowName: "slow_total", slowHelp: "Slow work." },
    ...{ slowMs: 100, message: "slow work", now: () => world.nowMs },
    log: (_level, message, fields) => lines.push([message, fields]),
  });
  return { world, lines, durations };
}

test("the histogram is cumulative; a duration on a bound is below it", () => {
  const { durations } = setUp();
  for (const ms of [0.5, 1, 1.5, 3, 9_000]) durations.took(ms);
  const text = prometheusText(durations.samples());
  expect(text).toContain('work_seconds_bucket{le="0.001"} 2\n');
  expect(text).toContain('work_seconds_bucket{le="0.002"} 3\n');
  expect(text).toContain('work_seconds_bucket{le="0.004"} 4\n');
  expect(text).toContain('work_seconds_bucket{le="8.192"} 4\n');
  expect(text).toContain('work_seconds_bucket{le="+Inf"} 5\n');
  expect(text).toContain("work_seconds_sum 9.006\n");
  expect(text).toContain("work_seconds_count 5\n");
  expect(text).toContain("slow_total 1\n");
});

test("what is slow is told, at most once in ten seconds, with how much was left out", () => {
  const { world, lines, durations } = setUp();
  durations.took(100);
  expect(lines).toEqual([]);
  durations.took(101, { index: 7 });
  durations.took(102);
  durations.took(103);
  world.nowMs = 10_000;
  durations.took(250.4);
  const expected = { "expected-duration": "100ms" };
  expect(lines).toEqual([
    ["slow work", { took: "101ms", ...expected, index: 7 }],
    ["slow work", { took: "250ms", ...expected, "more-since-last-time": 2 }],
  ]);
});
