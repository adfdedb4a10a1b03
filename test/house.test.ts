/**
 * The house rules, kept by a machine: that the linter refuses what it must refuse (a linter that
 * finds nothing proves nothing), that documents say what the code says, and that files stay small.
 */
import { execFileSync, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { errorTable } from "../src/base/errors.js";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const tracked = execFileSync("git", ["ls-files"], { cwd: root, encoding: "utf8" })
  .trim()
  .split("\n")
  .filter((file) => existsSync(path.join(root, file)));
const read = (file: string): string => readFileSync(path.join(root, file), "utf8");

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
  ["src/snapshot", 'import "../state/types.js";', "noRestrictedImports"],
  ["src/state", 'import "../member/types.js";', "noRestrictedImports"],
  ["src/state", 'import "node:crypto";', "noRestrictedImports"],
  ["src/state/mvcc", 'import "../../member/types.js";', "noRestrictedImports"],
  ["src/member", 'import "../platform/node/clock.js";', "noRestrictedImports"],
  ["src/member", 'import "../api/services.js";', "noRestrictedImports"],
  ["src/api", 'import "../platform/node/clock.js";', "noRestrictedImports"],
  ["src/api", 'import "node:http";', "noRestrictedImports"],
  ["src/config", 'import "node:fs";', "noRestrictedImports"],
  ["src/member", "setTimeout(() => {}, 1);", "noRestrictedGlobals"],
  ["src/raft", "setImmediate(() => {});", "noRestrictedGlobals"],
  ["src/state", "console.log(Date.now());", "plugin"],
  ["src/state", "console.log(Math.random());", "plugin"],
  ["src/verify/sim", "console.log(performance.now());", "plugin"],
  ["src/member", "console.log(new Date());", "plugin"],
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
    expect(page.split("\n").length).toBeLessThanOrEqual(80);
    const folders = new Set(
      tracked.filter((file) => /^src\/\w+\//.test(file)).map((file) => file.split("/")[1]),
    );
    for (const folder of folders) expect(page, `src/${folder}`).toContain(`src/${folder}`);
  });

  test("every layer rule of the linter is for a folder of the table", () => {
    const config = JSON.parse(read("biome.json")) as {
      overrides: { includes: string[]; linter: { rules: { style: object } } }[];
    };
    const ruled = config.overrides
      .filter(({ linter }) => "noRestrictedImports" in linter.rules.style)
      .map(({ includes }) => (includes[0] as string).replace("/**", ""));
    const page = read("ARCHITECTURE.md");
    for (const folder of ruled) expect(page).toContain(folder);
    expect(ruled).toHaveLength(13);
  });
});

describe("files", () => {
  const sources = tracked.filter((file) => file.endsWith(".ts") && !file.includes("wire/gen/"));

  test("none has more than 500 lines", () => {
    const long = sources.filter((file) => read(file).split("\n").length > 501);
    expect(long).toEqual([]);
  });

  test("none names a path of some machine", () => {
    const places = /\/(?:work|root|home\/\w+)\/(?:main|scratch|shared|\.library)/;
    const texts = tracked.filter((file) =>
      /\.(ts|md|json|sh|proto|yml)$|^bin\/|^\.ci\//.test(file),
    );
    expect(texts.filter((file) => places.test(read(file)))).toEqual([]);
  });
});
