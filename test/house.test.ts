/**
 * The house rules, kept by a machine: that the linter refuses what it must refuse (a linter that
 * finds nothing proves nothing), that documents say what the code says, and that files stay small.
 */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { errorTable } from "../src/base/errors.js";
import { read, root, tracked } from "./support/tracked-files.js";

/** Code that must not pass, and the folder where it must not. */
const forbidden: readonly (readonly [folder: string, code: string, rule: string])[] = [
  ["src/base", 'import "node:fs";', "noRestrictedImports"],
  ["src/base", 'import "../platform/clock.js";', "noRestrictedImports"],
  ["src/platform", 'import "../raft/types.js";', "noRestrictedImports"],
  ["src/raft", 'import "node:fs";', "noRestrictedImports"],
  ["src/raft", 'import "../wal/wal.js";', "noRestrictedImports"],
  ["src/raft", 'import "../platform/clock.js";', "noRestrictedImports"],
  ["src/wal", 'import "../platform/clock.js";', "noRestrictedImports"],
  ["src/wal", 'import "node:fs";', "noRestrictedImports"],
  ["src/bbolt", 'import "../platform/disk.js";', "noRestrictedImports"],
  ["src/etcd", 'import "../member/types.js";', "noRestrictedImports"],
  ["src/etcd", 'import "../platform/node/disk.js";', "noRestrictedImports"],
  ["src/peers", 'import "../wal/wal.js";', "noRestrictedImports"],
  ["src/storage", 'import "../peers/peers.js";', "noRestrictedImports"],
  ["src/storage", 'import "../member/turns/driver.js";', "noRestrictedImports"],
  ["src/snapshot", 'import "../integrity/monitor.js";', "noRestrictedImports"],
  ["src/lease", 'import "../member/types.js";', "noRestrictedImports"],
  ["src/integrity", 'import "../member/types.js";', "noRestrictedImports"],
  ["src/integrity/repair", 'import "../../member/types.js";', "noRestrictedImports"],
  ["src/integrity/scrub", 'import "../../lease/driver.js";', "noRestrictedImports"],
  ["src/audit", 'import "../state/types.js";', "noRestrictedImports"],
  ["src/torture", 'import "node:child_process";', "noRestrictedImports"],
  ["src/torture", 'import "../member/types.js";', "noRestrictedImports"],
  ["src/state", 'import "../member/types.js";', "noRestrictedImports"],
  ["src/state", 'import "node:crypto";', "noRestrictedImports"],
  ["src/state/mvcc", 'import "../../member/types.js";', "noRestrictedImports"],
  ["src/member", 'import "../platform/node/clock.js";', "noRestrictedImports"],
  ["src/member", 'import "../api/services.js";', "noRestrictedImports"],
  ["src/api", 'import "../platform/node/clock.js";', "noRestrictedImports"],
  ["src/api", 'import "node:http";', "noRestrictedImports"],
  ["src/gateway", 'import "../member/types.js";', "noRestrictedImports"],
  ["src/config", 'import "node:fs";', "noRestrictedImports"],
  ["src/state", 'import "../embed.js";', "noRestrictedImports"],
  ["src/state", 'import "lmdb";', "noRestrictedImports"],
  ["src/state", 'import "fs";', "noRestrictedImports"],
  ["src/state", 'void import("../member/member.js");', "noRestrictedImports"],
  ["src/state", 'export * from "../member/types.js";', "noRestrictedImports"],
  ["src/raft/log", 'import "../../wal/wal.js";', "noRestrictedImports"],
  ["src/wire", 'import "../raft/types.js";', "noRestrictedImports"],
  ["src/log", 'import "../member/types.js";', "noRestrictedImports"],
  ["src/metrics", 'import "../member/member.js";', "noRestrictedImports"],
  ["src/grpc", 'import "../api/services.js";', "noRestrictedImports"],
  ["src/grpc", 'import "node:fs";', "noRestrictedImports"],
  ["src/platform/node", 'import "../../raft/types.js";', "noRestrictedImports"],
  ["src/platform/node/lmdb", 'import "../../../raft/types.js";', "noRestrictedImports"],
  ["src/api/http", 'import "../../platform/node/clock.js";', "noRestrictedImports"],
  ["src/verify/sim", 'import "node:fs";', "noRestrictedImports"],
  ["src/verify/sim", 'import "../../platform/node/disk.js";', "noRestrictedImports"],
  ["src/verify/sim", 'import "../../cli/main.js";', "noRestrictedImports"],
  ["src/verify/sim", 'import "../../embed.js";', "noRestrictedImports"],
  ["src/verify/report", 'import "lmdb";', "noRestrictedImports"],
  ["src/member", "setTimeout(() => {}, 1);", "noRestrictedGlobals"],
  ["src/raft", "setImmediate(() => {});", "noRestrictedGlobals"],
  ["src/wal", "setInterval(() => {}, 1);", "noRestrictedGlobals"],
  ["src/api", "queueMicrotask(() => {});", "noRestrictedGlobals"],
  ["src/state", "process.exit();", "noRestrictedGlobals"],
  ["src/state", "crypto.randomUUID();", "noRestrictedGlobals"],
  ["src/state", "globalThis.setTimeout(() => {}, 1);", "noRestrictedGlobals"],
  ["src/state", "export const made = new Date;", "plugin"],
  ["src/state", "export const made = Date();", "plugin"],
  ["src/state", "export const made = Date.now;", "plugin"],
  ["src/state", "export const made = process.hrtime.bigint();", "plugin"],
  ["src/state", "export const made = [];\n".repeat(401), "noExcessiveLinesPerFile"],
  [
    "src/state",
    `export function long(): void {${"\n  long();".repeat(71)}\n}`,
    "noExcessiveLinesPerFunction",
  ],
  ["src/state", "console.log(Date.now());", "plugin"],
  ["src/state", "console.log(Math.random());", "plugin"],
  ["src/verify/sim", "console.log(performance.now());", "plugin"],
  ["src/member", "console.log(new Date());", "plugin"],
  ["src/cli", "Promise.resolve().then(() => {});", "noFloatingPromises"],
  ["src/platform/node", "(async (): Promise<void> => {})();", "noFloatingPromises"],
];

/** Lints a copy of the house that holds only these files; gives "rule file" lines. */
function lint(files: ReadonlyMap<string, string>): string[] {
  const copy = mkdtempSync(path.join(tmpdir(), "lockstep-house-"));
  try {
    cpSync(path.join(root, "biome.json"), path.join(copy, "biome.json"));
    cpSync(path.join(root, "lint"), path.join(copy, "lint"), { recursive: true });
    for (const [file, code] of files) {
      mkdirSync(path.dirname(path.join(copy, file)), { recursive: true });
      writeFileSync(path.join(copy, file), code);
    }
    const { stdout } = spawnSync(
      path.join(root, "node_modules/.bin/biome"),
      ["lint", "--reporter=github", "--max-diagnostics=none", "."],
      { cwd: copy, encoding: "utf8" },
    );
    return [...stdout.matchAll(/title=([^,]+),file=([^,]+),/g)].map(
      ([, rule, file]) => `${rule} ${file}`,
    );
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

test("the linter refuses each forbidden thing, and nothing of what is allowed", () => {
  const files = new Map(
    forbidden.map(([folder, code], at) => [`${folder}/forbidden-${at}.ts`, `${code}\n`]),
  );
  const allowed = 'import { KvError } from "../base/errors.js";\n\nexport const made = KvError;\n';
  files.set("src/member/allowed.ts", allowed);
  const found = lint(files);
  for (const [at, [folder, code, rule]] of forbidden.entries()) {
    const hit = found.some((line) => line.includes(rule) && line.includes(`forbidden-${at}.ts`));
    expect(hit, `${folder}: ${code}`).toBe(true);
  }
  expect(found.filter((line) => line.includes("allowed.ts"))).toEqual([]);
});

test("the linter refuses a cycle of imports, also one of types alone", () => {
  const found = lint(
    new Map([
      ["src/state/a.ts", 'import { b } from "./b.js";\n\nexport const a = b;\n'],
      ["src/state/b.ts", 'import { a } from "./a.js";\n\nexport const b = a;\n'],
      ["src/raft/c.ts", 'import type { D } from "./d.js";\n\nexport type C = D | 1;\n'],
      ["src/raft/d.ts", 'import type { C } from "./c.js";\n\nexport type D = C | 2;\n'],
      ["src/raft/e.ts", 'import type { C } from "./c.js";\n\nexport type E = C;\n'],
    ]),
  );
  const cyclic = found
    .filter((line) => line.includes("noImportCycles"))
    .map((line) => path.basename(line));
  expect(cyclic.sort()).toEqual(["a.ts", "b.ts", "c.ts", "d.ts"]);
});

describe("documents say what the code says", () => {
  test("every error reason stands in docs/errors.md with its text, and no other", () => {
    const rows = read("docs/errors.md").match(/^\| \w+ \| \w+ \| .* \|$/gm) ?? [];
    const listed = new Map(
      rows
        .map((row) => row.split("|").map((cell) => cell.trim()))
        .map((cells) => [cells[1], cells[3]]),
    );
    listed.delete("reason");
    const inCode = new Map(Object.entries(errorTable).map(([reason, [, text]]) => [reason, text]));
    expect(Object.fromEntries(listed)).toEqual(Object.fromEntries(inCode));
  });

  test("every test that docs/guarantees.md names exists", () => {
    const named = read("docs/guarantees.md").match(/[\w/.-]+\.test\.ts/g) ?? [];
    expect(named.length).toBeGreaterThan(10);
    for (const file of named) expect(existsSync(path.join(root, file)), file).toBe(true);
  });

  test("every folder of src stands in ARCHITECTURE.md, which fits one page", () => {
    const page = read("ARCHITECTURE.md");
    expect(page.split("\n").length).toBeLessThanOrEqual(90);
    const folders = new Set(
      tracked.filter((file) => /^src\/\w+\//.test(file)).map((file) => file.split("/")[1]),
    );
    for (const folder of folders) expect(page, `src/${folder}`).toContain(`src/${folder}`);
  });

  test("every link between documents leads somewhere", () => {
    const dead = tracked
      .filter((file) => file.endsWith(".md"))
      .flatMap((file) =>
        [...read(file).matchAll(/\]\((?!https?:)([^)#]+)/g)]
          .map(([, target]) => path.join(path.dirname(file), target as string))
          .filter((target) => !existsSync(path.join(root, target)))
          .map((target) => `${file}: ${target}`),
      );
    expect(dead).toEqual([]);
  });

  test("every source file that a document names exists", () => {
    const isThere = (name: string): boolean =>
      tracked.some((file) => file === name || file.endsWith(`/${name}`));
    const pages = tracked.filter((file) => file.endsWith(".md") && file !== "CHANGELOG.md");
    const named = pages.flatMap((page) =>
      [
        ...read(page).matchAll(
          /(?<![\w/.@-])(?:\.\.\/)*((?:[\w-]+\/)*[\w.-]+\.(?:ts|mjs|proto))\b/g,
        ),
      ].map(([, name = ""]) => [page, name] as const),
    );
    expect(named.length).toBeGreaterThan(100);
    expect(named.filter(([, name]) => !isThere(name))).toEqual([]);
  });

  test("each life in ARCHITECTURE.md names at most eight files", () => {
    const [, lives = ""] = /## Lives\n([\s\S]*?)\n## /.exec(read("ARCHITECTURE.md")) ?? [];
    const counts = lives
      .split(/\n- /)
      .slice(1)
      .map((life) => new Set(life.match(/`[\w/.-]+\.ts`/g)).size);
    expect(counts.length).toBeGreaterThan(6);
    expect(Math.max(...counts)).toBeLessThanOrEqual(8);
  });

  test("CONTRIBUTING.md has every npm script, and none that is not there", () => {
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
    const page = read("CONTRIBUTING.md");
    const named = [...page.matchAll(/^\| `npm (?:run )?([a-z-]+)`/gm)].map(([, name]) => name);
    const wanted = Object.keys(scripts).filter((script) => !script.startsWith("pre"));
    expect(named.filter((name) => name !== "ci").sort()).toEqual(wanted.sort());
  });

  test("the layer table of ARCHITECTURE.md is the linter's", () => {
    const rows = read("ARCHITECTURE.md").match(/^\| src\/[\w/]+ \|.*\|$/gm) ?? [];
    const table = new Map(
      rows.map((row) => {
        const [folder, , imports] = row
          .split("|")
          .slice(1)
          .map((cell) => cell.trim());
        return [folder, imports === "nothing" ? [] : imports?.split(", ").sort()];
      }),
    );
    expect(Object.fromEntries(layerRules())).toEqual(Object.fromEntries(table));
  });
});

/** What biome.json lets each folder import, as the table writes it; nested folders must agree. */
function layerRules(): Map<string, readonly string[]> {
  const config = JSON.parse(read("biome.json")) as {
    overrides: {
      includes: [string];
      linter: { rules: { style: { noRestrictedImports?: ImportRule } } };
    }[];
  };
  const rules = new Map<string, readonly string[]>();
  for (const { includes, linter } of config.overrides) {
    const group = linter.rules.style.noRestrictedImports?.options.patterns[0].group;
    if (group === undefined) continue;
    expect(group.slice(0, 2), "everything is refused, then some allowed").toEqual(["**", "!./**"]);
    const folder = includes[0].replace(/\/\*.*/, "");
    const allowed = new Set(group.slice(2).flatMap((pattern) => tableWord(folder, pattern)));
    const before = rules.get(folder);
    const words = [...allowed].sort();
    if (before !== undefined) expect(words, includes[0]).toEqual(before);
    rules.set(folder, words);
  }
  return rules;
}

interface ImportRule {
  readonly options: { readonly patterns: readonly [{ readonly group: readonly string[] }] };
}

/** `!../platform/disk.js` in src/wal is platform/disk; the folder itself is nothing. */
function tableWord(folder: string, pattern: string): readonly string[] {
  const target = pattern.slice(1);
  if (target === "node:*/*") return [];
  if (folder === "src/platform/node" && /^(\.\.\/)+\*\.js$/.test(target)) return ["platform"];
  if (folder === "src/verify" && target === "../**")
    return ["everything but cli and platform/node"];
  if (!pattern.startsWith("!") || target === "../**") return [];
  return [target.replace(/^(\.\.\/)+/, "").replace(/\/\*\*$|\/\*\.js$|\.js$/, "")];
}

describe("files", () => {
  const sources = tracked.filter((file) => file.endsWith(".ts") && !file.includes("wire/gen/"));

  const linesOf = (file: string): number => read(file).split("\n").length - 1;

  test("none has more than 400 lines, half of them at most 120", () => {
    expect(sources.filter((file) => linesOf(file) > 400)).toEqual([]);
    const lengths = sources.map(linesOf).sort((a, b) => a - b);
    expect(lengths[lengths.length >> 1]).toBeLessThanOrEqual(120);
  });

  test("no folder holds more than 20 of them directly, tests aside", () => {
    const files = new Map<string, number>();
    for (const file of sources.filter((name) => !/\.(test|contract)\.ts$/.test(name))) {
      files.set(path.dirname(file), (files.get(path.dirname(file)) ?? 0) + 1);
    }
    expect([...files].filter(([, count]) => count > 20)).toEqual([]);
  });

  test("none names a path of some machine", () => {
    const places = /\/(?:work|root|home\/\w+)\/(?:main|scratch|shared|\.library)/;
    const texts = tracked.filter((file) =>
      /\.(ts|md|json|sh|proto|yml)$|^bin\/|^\.ci\//.test(file),
    );
    expect(texts.filter((file) => places.test(read(file)))).toEqual([]);
  });
});
