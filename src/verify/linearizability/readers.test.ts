/** The readers of foreign histories: which texts they accept, and their errors for others. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { HistoryFormatError } from "../history/history-format-error.js";
import { checkCalls } from "./check-calls.js";
import { readJepsenHistory, readJepsenLog } from "./readers/jepsen-reader.js";
import { readPorcupineKv } from "./readers/porcupine-reader.js";
import { registerModel } from "./register-model.js";

const never = Number.POSITIVE_INFINITY;

describe("porcupine's key-value histories", () => {
  test("calls and returns are paired by process, in the order of lines", () => {
    const calls = readPorcupineKv(
      [
        '{:process 0, :type :invoke, :f :append, :key "7", :value "x 0 \\"y\\""}',
        '{:process 1, :type :invoke, :f :get, :key "7", :value nil}',
        '{:process 1, :type :ok, :f :get, :key "7", :value ""}',
        '{:process 1, :type :invoke, :f :put, :key "7", :value "a"}',
        '{:process 0, :type :ok, :f :append, :key "7", :value "x 0 \\"y\\""}',
        '{:process 2, :type :invoke, :f :get, :key "7", :value nil}',
      ].join("\n"),
    );
    expect(calls).toEqual([
      {
        client: 0,
        input: { kind: "append", key: "7", value: 'x 0 "y"' },
        output: {},
        callAt: 1,
        returnAt: 5,
        line: 1,
      },
      {
        client: 1,
        input: { kind: "get", key: "7" },
        output: { value: "" },
        callAt: 2,
        returnAt: 3,
        line: 2,
      },
      // Open at the end: the put may have happened, the get says nothing.
      {
        client: 1,
        input: { kind: "put", key: "7", value: "a" },
        output: undefined,
        callAt: 4,
        returnAt: never,
        line: 4,
      },
    ]);
  });

  const line = '{:process 0, :type :invoke, :f :put, :key "7", :value "a"}\n';
  test.each([
    [
      "a line cut short",
      `${line}{:process 0, :type :ok, :f :pu`,
      'line 2: the text ends before the "}" of line 2',
    ],
    [
      "a text cut short",
      `${line}{:process 0, :key "7`,
      "line 2: the text ends inside the quotes that line 2 opens",
    ],
    ["garbage", `${line}hello`, "line 2: this is not a map"],
    ["a brace too many", `${line}}`, 'line 2: "}" closes nothing'],
    ["no process", "{:type :ok}", "line 1: :process is no number"],
    ["another function", line.replace(":put", ":del"), "line 1: :f is"],
    ["another type", line.replace(":invoke", ":maybe"), "line 1: :type is"],
    ["no key", line.replace(':key "7"', ""), "line 1: :key is missing"],
    ["a value that is no text", line.replace('"a"', "3"), "line 1: :value is"],
    ["two open calls", line + line, "line 2: process 0 calls while its call of line 1 is open"],
    [
      "a return of nothing",
      line.replace(":invoke", ":ok"),
      "line 1: process 0 returns, but has no open call",
    ],
    [
      "another return",
      line + line.replace(":invoke", ":ok").replace("7", "8"),
      'line 2: the return of :put "8"',
    ],
    ["too deep", "[".repeat(1_000), "line 1: more than 64 levels of nesting"],
  ])("%s", (_, text, message) => {
    expect(() => readPorcupineKv(text)).toThrow(message);
  });
});

describe("Jepsen's logs", () => {
  const row = (process: string, type: string, kind: string, value: string) =>
    `INFO  jepsen.util - ${process}\t:${type}\t:${kind}\t${value}`;

  test("what ends as :info may have happened; a failed compare-and-set saw another value", () => {
    const calls = readJepsenLog(
      [
        row("0", "invoke", "write", "3"),
        row(":nemesis", "info", "start", "nil"),
        row("1", "invoke", "cas", "[2 4]"),
        row("0", "info", "write", ":timed-out"),
        row("1", "fail", "cas", "[2 4]"),
        row("1", "invoke", "read", "nil"),
        row("1", "ok", "read", "3"),
        row("2", "invoke", "cas", "[3 1]"),
        row("2", "ok", "cas", "[3 1]"),
        row("3", "invoke", "read", "nil"),
        row("3", "fail", "read", ":timed-out"),
        "",
      ].join("\n"),
    );
    expect(
      calls.map(({ input, output, line, callAt, returnAt }) => [
        input,
        output,
        line,
        callAt,
        returnAt,
      ]),
    ).toEqual([
      [{ kind: "write", value: 3 }, undefined, 1, 1, never],
      [{ kind: "cas", from: 2, to: 4 }, { kind: "cas", succeeded: false }, 3, 2, 3],
      [{ kind: "read" }, { kind: "read", value: 3 }, 6, 4, 5],
      [{ kind: "cas", from: 3, to: 1 }, { kind: "cas", succeeded: true }, 8, 6, 7],
    ]);
    expect(checkCalls(calls, registerModel).verdict).toBe("linearizable");
  });

  test.each([
    ["another line", "WARN hello", "line 1: this is not a line such as INFO jepsen.util"],
    [
      "an unknown function",
      row("0", "invoke", "pop", "1"),
      'line 1: "pop" is not one of :read, :write and :cas',
    ],
    ["an unknown type", row("0", "done", "read", "1"), 'line 1: "done" is not one of'],
    ["a value cut short", row("0", "invoke", "cas", "[1 "), 'line 1: "[1" is not one value'],
    ["no value", row("0", "invoke", "write", ""), 'line 1: "" is not one value'],
    [
      "a compare-and-set of one",
      row("0", "invoke", "cas", "3"),
      "line 1: the value of a :cas is not [from to]",
    ],
    [
      "another end",
      `${row("0", "invoke", "read", "nil")}\n${row("0", "ok", "write", "1")}`,
      "line 2: the end of a write, but process 0 called read",
    ],
  ])("%s", (_, text, message) => {
    expect(() => readJepsenLog(text)).toThrow(message);
  });
});

describe("Jepsen's histories as EDN and JSON", () => {
  const edn = `
    ; two processes
    {:index 0, :process :nemesis, :type :info, :f :start, :value nil}
    #jepsen.history.Op{:index 1, :process 0, :type :invoke, :f :write, :value 1, :time 12}
    {:index 2, :process 1, :type :invoke, :f :cas, :value [1 2]}
    {:index 3, :process 0, :type :ok, :f :write, :value 1}
    {:index 4, :process 1, :type :fail, :f :cas, :value [1 2], :error :timeout}
    {:index 5, :process 0, :type :invoke, :f :read, :value nil}
    {:index 6, :process 0, :type :ok, :f :read, :value 1}
  `;
  const events = [
    { process: "nemesis", type: "info", f: "start", value: null },
    { process: 0, type: "invoke", f: "write", value: 1 },
    { process: 1, type: "invoke", f: "cas", value: [1, 2] },
    { process: 0, type: "ok", f: "write", value: 1 },
    { process: 1, type: "fail", f: "cas", value: [1, 2], error: "timeout" },
    { process: 0, type: "invoke", f: "read", value: null },
    { process: 0, type: "ok", f: "read", value: 1 },
  ];
  const expected = [
    [{ kind: "write", value: 1 }, { kind: "write" }],
    [{ kind: "read" }, { kind: "read", value: 1 }],
  ];
  test.each([
    ["maps", edn],
    ["a vector of maps", `[${edn}\n]`],
    ["JSON lines", events.map((event) => JSON.stringify(event)).join("\n")],
    ["a JSON array", JSON.stringify(events, undefined, 2)],
    ["a JSON array on one line", JSON.stringify(events)],
  ])("%s: what failed did not happen", (_, text) => {
    const calls = readJepsenHistory(text);
    expect(calls.map(({ input, output }) => [input, output])).toEqual(expected);
    // The read comes after the write, also if both are on one line.
    expect(calls[1]?.callAt).toBeGreaterThan(calls[0]?.returnAt as number);
  });

  test("values that are pairs name a register each", () => {
    const calls = readJepsenHistory(`
      {:process 0, :type :invoke, :f :write, :value ["a" 1]} {:process 0, :type :ok, :f :write, :value ["a" 1]}
      {:process 0, :type :invoke, :f :read, :value ["b" nil]} {:process 0, :type :ok, :f :read, :value ["b" nil]}
      {:process 0, :type :invoke, :f :cas, :value ["a" [1 2]]} {:process 0, :type :ok, :f :cas, :value ["a" [1 2]]}
    `);
    expect(calls.map(({ input }) => input.key)).toEqual(['"a"', '"b"', '"a"']);
    expect(checkCalls(calls, registerModel)).toMatchObject({
      verdict: "linearizable",
      partitionCount: 2,
    });
  });

  test("numbers beyond 2^53 stay apart", () => {
    const calls = readJepsenHistory(`
      {:process 0 :type :invoke :f :write :value 9007199254740993} {:process 0 :type :ok :f :write :value 9007199254740993}
      {:process 0 :type :invoke :f :read :value nil} {:process 0 :type :ok :f :read :value 9007199254740992}
    `);
    expect(checkCalls(calls, registerModel).verdict).toBe("not");
  });

  test("garbage of any kind is refused with a line, never with another error", () => {
    const pieces = fc.constantFrom(
      ...[
        "{",
        "}",
        "[",
        "]",
        "(",
        ")",
        '"',
        "\\",
        "#",
        "_",
        ":",
        ";",
        "\n",
        " ",
        ",",
        "nil",
        "0",
        "1e999",
        "#{",
        "#_",
      ],
      ...[
        ":process",
        ":type",
        ":invoke",
        ":ok",
        ":f",
        ":read",
        ":write",
        ":value",
        "\\u00",
        "é",
        "{:process 0 ",
      ],
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 40 }), (parts) => {
        for (const read of [readJepsenHistory, readPorcupineKv, readJepsenLog]) {
          try {
            read(parts.join(""));
          } catch (error) {
            expect(error).toBeInstanceOf(HistoryFormatError);
            expect((error as Error).message).toMatch(/^line \d+: /);
          }
        }
      }),
      { numRuns: 3_000 },
    );
  });
});
