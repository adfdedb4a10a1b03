import { expect, test } from "vitest";
import { createLog, type LogLevel } from "./log.js";

const unixMs = Date.UTC(2026, 0, 2, 3, 4, 5, 67);

function written(
  level: LogLevel,
  use: (log: ReturnType<typeof createLog>) => void,
  format: "json" | "console" = "json",
): string[] {
  const lines: string[] = [];
  const write = (line: string): void => void lines.push(line);
  use(createLog({ level, format, caller: "here", unixMs: () => unixMs, write }));
  return lines;
}

test("for people: the same with tabs", () => {
  const use = (log: ReturnType<typeof createLog>): void => {
    log("warn", "two", { a: 1n });
    log("info", "one");
  };
  expect(written("info", use, "console")).toEqual([
    '2026-01-02T03:04:05.067000Z\twarn\there\ttwo\t{"a":"1"}\n',
    "2026-01-02T03:04:05.067000Z\tinfo\there\tone\n",
  ]);
});

test("a line is one JSON object: level, time in microseconds, caller, message, then the fields", () => {
  const lines = written("info", (log) => log("warn", "two\nlines", { a: 1, b: [2] }));
  expect(lines).toEqual([
    '{"level":"warn","ts":"2026-01-02T03:04:05.067000Z","caller":"here","msg":"two\\nlines","a":1,"b":[2]}\n',
  ]);
});

test("ids are hexadecimal, errors their text, also inside", () => {
  const [line] = written("info", (log) =>
    log("info", "m", { id: 0x8e9e05c52164694dn, deep: { error: new Error("broken") } }),
  );
  expect(JSON.parse(line as string)).toMatchObject({
    id: "8e9e05c52164694d",
    deep: { error: "broken" },
  });
});

test("below its level nothing is written", () => {
  const levels: LogLevel[] = ["debug", "info", "warn", "error", "fatal"];
  for (const [at, lowest] of levels.entries()) {
    const lines = written(lowest, (log) => {
      for (const level of levels) log(level, "m");
    });
    expect(lines.map((line) => JSON.parse(line).level)).toEqual(levels.slice(at));
  }
});
