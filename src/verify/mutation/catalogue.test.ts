import fs from "node:fs";
import { describe, expect, test } from "vitest";
import { mutants, sortById } from "./catalogue.js";
import { knownSeeds } from "./known-seeds.js";
import type { Mutant } from "./types.js";

const page = new URL("../../../docs/mutants.md", import.meta.url);

function rowOf(mutant: Mutant): string {
  const { id, title, origin, conditions, caughtBy, isControl, flags } = mutant;
  const needs = flags === undefined ? conditions : `${conditions} (${flags.join(" ")})`;
  const by = isControl ? "none: it is right" : caughtBy.join(", ");
  return `| ${[id, title, origin, needs, by].map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

function tableOf(list: readonly Mutant[]): string {
  const head = "| id | bug | origin | shows when | caught by |\n|---|---|---|---|---|";
  return `${[head, ...list.map(rowOf)].join("\n")}\n`;
}

describe("the catalogue", () => {
  test("is in order of ids, each once", () => {
    const one = mutants[0] as Mutant;
    const named = (...ids: string[]) => ids.map((id) => ({ ...one, id }));
    const ids = sortById(named("W2", "M10", "W10", "L1", "M9")).map(({ id }) => id);
    expect(ids).toEqual(["M9", "M10", "L1", "W2", "W10"]);
    expect(() => sortById(named("M1", "W1", "M1"))).toThrow("M1");
  });

  test("names what must catch each bug, and nothing for controls", () => {
    for (const { id, caughtBy, isControl } of mutants) {
      expect([id, caughtBy.length > 0]).toEqual([id, isControl !== true]);
    }
  });

  test("has a known seed for nothing that it does not list", () => {
    const ids = new Set(mutants.map(({ id }) => id));
    expect(Object.keys(knownSeeds).filter((id) => !ids.has(id))).toEqual([]);
  });

  test("is what docs/mutants.md says; UPDATE=1 writes it", () => {
    const text = fs.readFileSync(page, "utf8");
    const [before, , after] = text.split(/(?<=<!-- begin[^\n]*\n)([\s\S]*)(?=<!-- end -->)/);
    const expected = `${before}${tableOf(mutants)}${after}`;
    if (process.env.UPDATE !== undefined) fs.writeFileSync(page, expected);
    else expect(text).toBe(expected);
  });
});
