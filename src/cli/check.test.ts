/** `lockstep check`: what it prints for each verdict, and for files that it cannot read. */
import { describe, expect, test } from "vitest";
import { runCheck } from "./check.js";

function run(files: ReadonlyMap<string, string>, words: readonly string[]) {
  let stdout = "";
  let stderr = "";
  let nowMs = 0;
  const status = runCheck(words, {
    out: (text) => {
      stdout += text;
    },
    error: (text) => {
      stderr += text;
    },
    readFile: (path) => {
      const text = files.get(path);
      if (text === undefined) throw Object.assign(new Error(`ENOENT: ${path}`), { code: "ENOENT" });
      return text;
    },
    listFolder: (path) => {
      const inside = [...files.keys()].filter((name) => name.startsWith(`${path}/`));
      return inside.length === 0 ? undefined : inside.map((name) => name.slice(path.length + 1));
    },
    nowMs: () => nowMs++,
  });
  return { status, stdout, stderr };
}

function checkText(text: string, ...words: readonly string[]) {
  return run(new Map([["history", text]]), ["history", ...words]);
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

/** Appends that all overlap, and an answer that no order of them explains. */
const hard = [
  ...Array.from({ length: 14 }, (_, process) => ["invoke", process] as const),
  ...Array.from({ length: 14 }, (_, process) => ["ok", process] as const),
]
  .map(
    ([type, process]) =>
      `{:process ${process}, :type :${type}, :f :append, :key "k", :value "${process},"}\n`,
  )
  .concat('{:process 0, :type :invoke, :f :get, :key "k", :value nil}\n')
  .concat('{:process 0, :type :ok, :f :get, :key "k", :value "never"}\n')
  .join("");

describe("verdicts", () => {
  test("linearizable: 0", () => {
    const { status, stdout } = checkText(writeThenRead("3"));
    expect(status).toBe(0);
    expect(stdout).toContain(
      "Jepsen log of a register: 3 operations, 1 without an answer\nlinearizable",
    );
  });

  test("not: 1, and the operation that cannot be placed", () => {
    const { status, stdout } = checkText(writeThenRead("4"));
    expect(status).toBe(1);
    expect(stdout).toContain("not linearizable");
    expect(stdout).toMatch(
      /^First operation that cannot be placed, in line 5:\n\n {2}process 2 {2}read: 4$/m,
    );
    expect(stdout).toContain("The value there: 3.");
    expect(stdout).toMatch(/^> +- +5 +2 +read: 4 +\|\|$/m);
    expect(stdout).toMatch(/^ +1 +1 +0 +write 3 +\|-\|$/m);
    expect(stdout).toMatch(/^ +- +2 +1 +cas 7 to 8: no answer +\|-+\?$/m);
  });

  test("unknown: 2, and which limit ended it", () => {
    const memory = checkText(hard, "--memory", "1");
    expect(memory.status).toBe(2);
    expect(memory.stdout).toMatch(/^unknown: the memory for configurations is used up/m);
    expect(memory.stdout).toContain("it came as far as line 29");
    const time = checkText(hard, "--timeout", "0.001");
    expect(time.status).toBe(2);
    expect(time.stdout).toContain("unknown: the time is up");
  });

  test("as JSON", () => {
    const { status, stdout } = checkText(writeThenRead("4"), "--json", "--model", "register");
    expect(status).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      file: "history",
      format: "jepsen-log",
      model: "register",
      operations: 3,
      unknowns: 1,
      verdict: "not",
      failure: { blocked: { number: 5, process: 2, words: "read: 4" }, states: ["3"] },
    });
  });
});

describe("our own histories", () => {
  const put = (id: number, value: string, revision: number) => ({
    id,
    client: id,
    member: "a",
    callUs: id * 100,
    returnUs: id * 100 + 50,
    request: { kind: "put", key: "k", value },
    outcome: { kind: "ok", revision, answer: { kind: "put" } },
  });
  const get = (value: string, mod: number, isSerializable: boolean) => ({
    ...put(3, "", 3),
    request: { kind: "range", key: "k", ...(isSerializable ? { serializable: true } : {}) },
    outcome: {
      kind: "ok",
      revision: 3,
      answer: {
        kind: "range",
        kvs: [{ key: "k", value, create: 2, mod, version: mod - 1 }],
        count: 1,
      },
    },
  });
  const file = (...operations: readonly object[]) =>
    [{ lockstepHistory: 1 }, ...operations.map((op) => ({ op }))]
      .map((line) => `${JSON.stringify(line)}\n`)
      .join("");
  const writes = [put(1, "x", 2), put(2, "y", 3)];

  test("linearizable: 0", () => {
    const { status, stdout } = checkText(file(...writes, get("y", 3, false)), "--model", "etcd");
    expect(stdout).toMatch(/^Lockstep history: 3 operations, 0 watches\nlinearizable\n\d+ ms\n$/);
    expect(status).toBe(0);
  });

  test("not: 1, and the operations around it", () => {
    const { status, stdout } = checkText(file(...writes, get("x", 2, false)));
    expect(stdout).toContain("not linearizable");
    expect(stdout).toMatch(/^> +3 +3 +range "k": revision 3 \["k" = "x" \(2\)\] +\|\|$/m);
    expect(stdout).toMatch(/^ +2 +2 +put "k" "y": revision 3 +\|\|$/m);
    expect(status).toBe(1);
  });

  test("a serializable read of what never was: 1", () => {
    const { status, stdout } = checkText(file(...writes, get("z", 3, true)));
    expect(stdout).toContain("not linearizable");
    expect(stdout).toContain("serializable: ");
    expect(status).toBe(1);
  });
});

describe("what cannot be read: 2, with file and line", () => {
  test.each([
    ["an empty file", "", "history: line 1: the file is empty"],
    ["blanks", " \n\n", "history: line 1: the file is empty"],
    ["another file", "#!/bin/sh\n", 'history: line 1: "#!/bin/sh" begins no history'],
    ["a file cut short", writeThenRead("3").slice(0, -8), "history: line 6: "],
    ["a map cut short", hard.slice(0, -8), "history: line 30: the text ends inside the quotes"],
    ["a line of garbage", `${writeThenRead("3")}garbage\n`, "history: line 7: this is not a line"],
    [
      "no operations",
      "[{:process :nemesis, :type :info, :f :kill}]",
      "history: line 1: the history has no",
    ],
    [
      "a history file cut short",
      '{"lockstepHistory":1,"operations":1}\n{"op":{"id"',
      "history: line 2: ",
    ],
  ])("%s", (_, text, message) => {
    const { status, stdout, stderr } = checkText(text);
    expect(stderr).toContain(`lockstep check: ${message}`);
    expect(stderr).not.toContain("    at ");
    expect(stdout).toBe("");
    expect(status).toBe(2);
  });

  test("no such file", () => {
    const { status, stderr } = run(new Map(), ["absent"]);
    expect(stderr).toMatch(/^lockstep check: absent: ENOENT/);
    expect(status).toBe(2);
  });

  test("a model that the format is not for", () => {
    const { status, stderr } = checkText(hard, "--model", "register");
    expect(stderr).toContain("is checked with the model kv, not register");
    expect(status).toBe(2);
  });
});

describe("the command line", () => {
  test.each([
    [[], "name a file"],
    [["a", "b"], "one file at a time"],
    [["a", "--model", "queue"], 'unknown model "queue"'],
    [["a", "--memory", "0"], "--memory 0: give a number above 0"],
    [["a", "--timeout", "soon"], "--timeout soon: give a number above 0"],
    [["a", "--depth", "3"], "--depth"],
  ])("%j is refused", (words, message) => {
    const { status, stderr } = run(new Map(), words);
    expect(stderr).toContain(message);
    expect(stderr).toContain("Usage: lockstep check FILE");
    expect(status).toBe(2);
  });

  test("help", () => {
    const { status, stdout } = run(new Map(), ["--help"]);
    expect(status).toBe(0);
    expect(stdout).toContain("Exit: 0 linearizable");
  });
});
