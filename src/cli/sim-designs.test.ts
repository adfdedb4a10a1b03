/** `lockstep sim designs`: its page, its files and its exit codes. */
import { expect, test } from "vitest";
import { runSimDesigns, type SimIo } from "./sim-designs.js";

interface Outside extends SimIo {
  readonly files: Map<string, string>;
  printed: string;
  complained: string;
}

function outside(): Outside {
  const io: Outside = {
    files: new Map(),
    printed: "",
    complained: "",
    out: (text) => {
      io.printed += text;
    },
    error: (text) => {
      io.complained += text;
    },
    readFile: (path) => {
      const text = io.files.get(path);
      if (text === undefined) throw Object.assign(new Error(`no ${path}`), { code: "ENOENT" });
      return text;
    },
    writeFile: (path, text) => void io.files.set(path, text),
    nowMs: () => 0,
  };
  return io;
}

function run(...words: string[]): Outside & { code: number } {
  const io = outside();
  const code = runSimDesigns(words, io);
  return Object.assign(io, { code });
}

test("the page explains all four, shows the diagram and the table, and is the same twice", () => {
  const { code, printed, files } = run("--seeds", "100", "--svg", "lost.svg");
  expect(code).toBe(0);
  for (const name of ["1. oldest", "2. enhanced", "3. final", "4. lockstep"]) {
    expect(printed).toContain(name);
  }
  expect(printed).toMatch(/#\s+apply loop\s+commit ticker\s+open transaction\s+disk/);
  expect(printed).toMatch(/\n9 {2}CRASH/);
  expect(printed).toMatch(/\nenhanced +\d+ % +\d+ % +\d+ +9 +index too large +/);
  expect(printed).toMatch(/\nfinal +0 +0 +never +- +nothing +/);
  expect(printed).toMatch(/\nlockstep +0 +0 +never +- +nothing +0\.00 +1\.00 +/);
  expect(printed).toContain("Every design behaved as history says.");
  expect(printed).toContain("1 seed(s), 9 events, 0 ms, the same plan");
  for (const line of printed.split("\n")) expect(line.length).toBeLessThanOrEqual(104);
  expect(files.get("lost.svg")).toMatch(/^<\?xml .*<\/svg>\n$/s);
  expect(run("--seeds", "100").printed).toBe(printed);
});

test("one design alone", () => {
  const { code, printed } = run("--design", "oldest", "--seeds", "50");
  expect(code).toBe(0);
  expect(printed).toContain("1. oldest");
  expect(printed).not.toContain("enhanced");
});

test("too few seeds to see what history saw: exit 1, and it says so", () => {
  const { code, printed } = run("--design", "final", "--seeds", "1");
  expect(code).toBe(1);
  expect(printed).toContain("NOT AS HISTORY SAYS: final + refused entries");
});

test("a plan out of the JSON runs again", () => {
  const { code, printed } = run("--json", "--seeds", "60");
  expect(code).toBe(0);
  const report = JSON.parse(printed);
  expect(report.isAsExpected).toBe(true);
  const enhanced = report.cases.find((each: { name: string }) => each.name === "enhanced");
  const io = outside();
  io.files.set("plan.json", JSON.stringify(enhanced.story.plan));
  expect(runSimDesigns(["--replay", "plan.json", "--svg", "again.svg"], io)).toBe(1);
  expect(io.printed).toContain("enhanced: index too large");
  expect(io.files.get("again.svg")).toContain("</svg>");

  io.files.set("final.json", JSON.stringify({ ...enhanced.story.plan, design: "final" }));
  io.printed = "";
  expect(runSimDesigns(["--replay", "final.json"], io)).toBe(0);
  expect(io.printed).toContain("The law holds");
});

test("wrong words and wrong files end with 2 and a reason", () => {
  expect(run("--design", "newest")).toMatchObject({ code: 2 });
  expect(run("--seeds", "0").complained).toContain("--seeds takes a whole number");
  expect(run("--colour").complained).toContain("--colour");
  expect(run("--replay", "absent.json")).toMatchObject({ code: 2 });
  expect(run("--design", "lockstep", "--seeds", "5", "--svg", "x").complained).toContain(
    "nothing failed",
  );
  const valid = { format: 1, design: "final", hazards: {}, log: [], choices: [] };
  for (const text of ["{", "[]", "{}", JSON.stringify(valid)]) {
    const io = outside();
    io.files.set("bad.json", text);
    expect(runSimDesigns(["--replay", "bad.json"], io)).toBe(2);
    expect(io.complained).toContain("is no plan");
  }
  expect(run("--help")).toMatchObject({ code: 0 });
});
