/** Histories as files: a file keeps everything, and the reader accepts nothing that is wrong. */
import { describe, expect, test } from "vitest";
import { generatePlan } from "../sim/plan/plan-generator.js";
import { runPlan } from "../sim/run-plan.js";
import { formatHistory, readHistory } from "./history-file.js";
import type { History, Operation } from "./types.js";

const put: Operation = {
  id: 1,
  client: 0,
  member: "a",
  callUs: 10,
  returnUs: 20,
  request: { kind: "put", key: "k\0\xff", value: "v", lease: "7" },
  outcome: { kind: "ok", revision: 2, answer: { kind: "put" } },
};
const lost: Operation = {
  id: 2,
  client: 0,
  member: "b",
  callUs: 20,
  returnUs: undefined,
  request: {
    kind: "txn",
    compares: [{ key: "k", target: "mod", result: "=", value: 2 }],
    success: [{ kind: "delete", key: "k", end: "\0" }],
    failure: [
      { kind: "range", key: "k", limit: 3 },
      { kind: "txn", compares: [], success: [{ kind: "range", key: "l" }], failure: [] },
    ],
  },
  outcome: { kind: "unknown", error: "the connection broke" },
};
const history: History = {
  operations: [put, lost],
  watches: [
    {
      id: 1,
      client: 3,
      member: "a",
      callUs: 5,
      range: { key: "k" },
      revision: 0,
      prevKv: true,
      progressNotify: false,
      filters: ["delete"],
      responses: [
        { atUs: 6, revision: 1, events: [], created: true },
        {
          atUs: 21,
          revision: 2,
          events: [{ type: "put", key: "k", value: "v", create: 2, mod: 2, version: 1 }],
        },
      ],
    },
  ],
  marks: [{ atUs: 8, kind: "fault", member: "a", text: "crash" }],
};
const text = formatHistory(history);
const lines = text.trimEnd().split("\n");

/** The file with this line instead of another. */
function withLine(at: number, line: string): string {
  return [...lines.slice(0, at - 1), line, ...lines.slice(at)].join("\n");
}

function withOperation(change: object): string {
  return withLine(2, JSON.stringify({ op: { ...put, ...change } }));
}

test("a history comes back as it was", () => {
  expect(readHistory(text)).toEqual(history);
  expect(formatHistory(readHistory(text))).toBe(text);
});

test("so do histories of the simulator", () => {
  for (let seed = 1; seed <= 3; seed++) {
    const simulated = runPlan(
      generatePlan(seed, { isBeyondAtlas: false, members: undefined }),
    ).history;
    expect(simulated.operations.length).toBeGreaterThan(20);
    expect(readHistory(formatHistory(simulated))).toEqual(JSON.parse(JSON.stringify(simulated)));
  }
});

test("the counts of the first line may be missing", () => {
  expect(readHistory(withLine(1, '{"lockstepHistory":1}'))).toEqual(history);
  expect(readHistory('{"lockstepHistory":1}')).toEqual({ operations: [], watches: [], marks: [] });
});

describe("what is refused, with its line", () => {
  const later = { ...lost, callUs: 15 };
  const answered = { outcome: { kind: "ok", revision: 2, answer: { kind: "delete", deleted: 1 } } };
  test.each([
    ["nothing", "", "line 1: the first line is empty"],
    ["no JSON", "lockstep", "line 1: this is not JSON"],
    ["another version", withLine(1, '{"lockstepHistory":2}'), "line 1: version 2 of the format"],
    ["another object", withLine(1, "{}"), "line 1: header.lockstepHistory is missing"],
    ["a record cut short", text.slice(0, -12), "line 5: this is not JSON"],
    ["a record missing", lines.slice(0, 4).join("\n"), "line 4: the first line announces 1 marks"],
    ["an empty line", withLine(3, ""), "line 3: the line is empty"],
    ["an unknown record", withLine(3, '{"opp":{}}'), "line 3: a record is"],
    ["two records in one", withLine(3, '{"op":{},"mark":{}}'), "line 3: a record is"],
    ["a list", withLine(3, "[]"), "line 3: this is not an object"],
    ["a missing field", withOperation({ member: undefined }), "line 2: op.member is missing"],
    [
      "an unknown field",
      withOperation({ memberr: "a" }),
      'line 2: op has the unknown field "memberr"',
    ],
    ["a fraction", withOperation({ callUs: 1.5 }), "line 2: op.callUs is not a whole number"],
    [
      "an unknown kind",
      withOperation({ request: { kind: "get" } }),
      "line 2: op.request.kind is not one of",
    ],
    [
      "a character that is no byte",
      withOperation({ request: { kind: "put", key: "\u0100", value: "" } }),
      "line 2: op.request.key is not a text of latin-1 characters",
    ],
    [
      "an end before the beginning",
      withOperation({ returnUs: 9 }),
      "line 2: op.returnUs is before",
    ],
    ["no end", withOperation({ returnUs: undefined }), "line 2: op.returnUs is missing"],
    [
      "an answer to something else",
      withOperation(answered),
      "line 2: op.outcome.answer (delete) is no",
    ],
    ["an id twice", withOperation({ id: 2 }), "line 3: id 2 is that of line 2 too"],
    [
      "two calls at once",
      withLine(3, JSON.stringify({ op: later })),
      "line 3: client 0 calls before its call of line 2 returns",
    ],
  ])("%s", (_, broken, message) => {
    expect(() => readHistory(broken)).toThrow(message);
  });
});

test("no prefix of the file is read as a whole one, and none breaks the reader", () => {
  for (let length = 0; length < text.length - 1; length++) {
    expect(() => readHistory(text.slice(0, length))).toThrow(/^line \d+: /);
  }
});
