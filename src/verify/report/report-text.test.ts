/** The report says everything a reader needs, and its table stands in columns. */
import { expect, test } from "vitest";
import { renderReport } from "./report-text.js";
import type { MemberRow } from "./trace.js";

const member: MemberRow = {
  name: "n1",
  state: "up",
  role: "leader",
  term: 3,
  vote: "n1",
  commit: 12,
  applied: 12,
  lastIndex: 13,
  revision: 9,
  digest: "ab12cd34",
};

const report = renderReport({
  invariant: "S2",
  text: "the backend lost entry 11",
  atMs: 1234.5,
  seed: 42,
  again: ["lockstep sim --plan plan.json", "lockstep sim --seed 42"],
  plan: ["members 3", "   100 ms crash n2"],
  sizeBefore: 80,
  sizeAfter: 4,
  members: [member, { ...member, name: "a-long-name", role: "follower", applied: 10_000_000 }],
  past: [
    { id: 5, cause: undefined, atUs: 1_000_250, node: "n1", kind: "send", text: "app", peer: "n2" },
    { id: 9, cause: 5, atUs: 1_234_500, node: undefined, kind: "violation", text: "entry 11" },
  ],
});
const lines = report.split("\n");

test("what was violated comes first, then where, how large, and how to see it again", () => {
  expect(lines[0]).toBe("S2: the backend lost entry 11");
  expect(report).toContain("Seed 42, at 1234.500 ms");
  expect(report).toContain("4 events after shrinking (80 before)");
  expect(lines).toContain("  lockstep sim --plan plan.json");
  expect(lines).toContain("  lockstep sim --seed 42");
  expect(lines).toContain("     100 ms crash n2");
  expect(report.endsWith("\n")).toBe(true);
});

test("each member has a line, and each value begins under its column's name", () => {
  const at = lines.findIndex((line) => /^ +name +state/.test(line));
  const [head, first, second] = lines.slice(at, at + 3) as [string, string, string];
  const starts = (line: string): number[] => [...line.matchAll(/\S+/g)].map(({ index }) => index);
  expect(starts(head)).toHaveLength(Object.keys(member).length);
  expect(starts(first)).toEqual(starts(head));
  expect(starts(second)).toEqual(starts(head));
  expect(second.trim().split(/ +/)).toEqual([
    ..."a-long-name up follower 3 n1 12 10000000 13 9 ab12cd34".split(" "),
  ]);
});

test("the causal past is told in its order, with times, nodes and the other end", () => {
  const told = lines.slice(lines.findIndex((line) => line.startsWith("What led to it")));
  expect(told[0]).toContain("the last 2 events");
  expect(told[1]).toMatch(/^ +1000\.250 n1 +send +app to n2$/);
  expect(told[2]).toMatch(/^ +1234\.500 +violation +entry 11$/);
});
