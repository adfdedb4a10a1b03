/** One list of invariants: what checks report, what is needed and the table of the docs are of it. */
import fs from "node:fs";
import { expect, test } from "vitest";
import { mutants } from "../mutation/catalogue.js";
import { checkedInvariants, neededPairs } from "../mutation/needed.js";
import { watchRules } from "../watch-rules/validate-watches.js";
import { type Invariant, invariants, invariantTexts } from "./invariants.js";

const page = new URL("../../../docs/simulation.md", import.meta.url);

/** The files that report a name. */
function reportersOf(name: Invariant): readonly string[] {
  const place = String.raw`([rR]eport\(|Violation\(|needQuorum\(\w+,|invariant:|\?\?|\w":)\s*`;
  const pattern = new RegExp(`${place}"${name}"`);
  const folders = ["./", "checks/", "../watch-rules/"].map(
    (path) => new URL(path, import.meta.url),
  );
  return folders.flatMap((folder) =>
    fs
      .readdirSync(folder)
      .filter((file) => /^(?!invariants).*(?<!\.test)\.ts$/.test(file))
      .filter((file) => pattern.test(fs.readFileSync(new URL(file, folder), "utf8"))),
  );
}

test("every invariant is reported by some check, and every one but how a run ends is accounted for", () => {
  const ends = ["liveness", "crash"];
  const rules = watchRules.map(({ id }) => `C5-${id}`);
  const silent = invariants.filter(
    (name) => !rules.includes(name) && reportersOf(name).length === 0,
  );
  expect(silent).toEqual([]);
  expect([...checkedInvariants].sort()).toEqual(
    invariants.filter((name) => !ends.includes(name)).toSorted(),
  );
});

test("what is needed is needed for a mutant that names it", () => {
  for (const { invariant, mutant: id } of neededPairs) {
    const mutant = mutants.find((known) => known.id === id);
    const family = invariant.startsWith("C5-") ? "C5" : invariant;
    expect([id, mutant?.caughtBy]).toEqual([id, expect.arrayContaining([family])]);
  }
});

test("docs/simulation.md lists exactly these; UPDATE=1 writes it", () => {
  const rows = Object.entries(invariantTexts).map(([name, text]) => {
    const files = reportersOf(name as Invariant).join(", ");
    return `| ${name} | ${text} | ${files} |\n`;
  });
  const rules = watchRules.map(({ id }) => id).join(", ");
  const watches = `| C5-* | watches: ${rules} | ../watch-rules |\n`;
  const at = rows.findIndex((row) => row.startsWith("| C6"));
  const table = [
    "| name | what | reported in |\n|---|---|---|\n",
    ...rows.toSpliced(at, 0, watches),
  ];
  const text = fs.readFileSync(page, "utf8");
  const [before, , after] = text.split(
    /(?<=<!-- begin: invariants[^\n]*\n)([\s\S]*)(?=<!-- end -->)/,
  );
  const expected = `${before}${table.join("")}${after}`;
  if (process.env.UPDATE !== undefined) fs.writeFileSync(page, expected);
  else expect(text).toBe(expected);
});
