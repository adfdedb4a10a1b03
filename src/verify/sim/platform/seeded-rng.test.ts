import { expect, test } from "vitest";
import type { Rng } from "../../../platform/rng.js";
import { createSeededRng } from "./seeded-rng.js";

const draw = (rng: Rng, count = 20): number[] =>
  Array.from({ length: count }, () => rng.int(1_000_000));

test("the same seed gives the same sequence, on every platform", () => {
  expect(draw(createSeededRng(42))).toEqual(draw(createSeededRng(42)));
  expect(draw(createSeededRng(42), 5)).toMatchInlineSnapshot(`
    [
      906615,
      33778,
      755770,
      964204,
      503451,
    ]
  `);
});

test("seeds that are alike give sequences that are not, above 32 bits too", () => {
  const seeds = [0, 1, 2, 3, 2 ** 32, 2 ** 32 + 1, 2 ** 52];
  const sequences = new Set(seeds.map((seed) => draw(createSeededRng(seed), 4).join()));
  expect(sequences.size).toBe(seeds.length);
});

test("a fork depends on seed and label, not on what was drawn before", () => {
  const fresh = createSeededRng(7);
  const used = createSeededRng(7);
  draw(used);
  expect(draw(used.fork("a"))).toEqual(draw(fresh.fork("a")));
  const labels = ["a", "b", "ab", "ba", "aa", "m1/1", "m1/2", "m2/1", "é"];
  const sequences = labels.map((label) => draw(fresh.fork(label), 4).join());
  expect(new Set([...sequences, draw(createSeededRng(7), 4).join()]).size).toBe(labels.length + 1);
  expect(draw(fresh.fork("a").fork("b"))).not.toEqual(draw(fresh.fork("b").fork("a")));
  expect(() => fresh.fork("")).toThrow("a fork without a label");
});

test("draws cover their range evenly", () => {
  const rng = createSeededRng(3);
  for (const below of [1, 2, 7, 100]) {
    const counts = new Array<number>(below).fill(0);
    const draws = below * 1_000;
    for (let at = 0; at < draws; at++) {
      const value = rng.int(below);
      counts[value] = (counts[value] as number) + 1;
    }
    for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(200);
  }
});
