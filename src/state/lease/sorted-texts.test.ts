/** Any changes, in any order: the texts are those of a plain set, sorted. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { SortedTexts } from "./sorted-texts.js";

test("any additions and removals: as a set that is sorted", () => {
  // Few different texts, so that many changes meet one that is there.
  const text = fc.nat(3_000).map(String);
  const change = fc.record({ text, isAdded: fc.integer({ min: 0, max: 3 }).map((n) => n > 0) });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 4_000 }), fc.array(text), (changes, asked) => {
      const texts = new SortedTexts();
      const model = new Set<string>();
      for (const { text, isAdded } of changes) {
        if (isAdded) {
          texts.add(text);
          model.add(text);
        } else expect(texts.delete(text)).toBe(model.delete(text));
      }
      const sorted = [...model].sort();
      expect([...texts]).toEqual(sorted);
      expect(texts.blocks.flat()).toEqual(sorted);
      expect(texts.size).toBe(sorted.length);
      for (const from of [...asked, "", "~"]) {
        expect(texts.firstFrom(from)).toBe(sorted.find((each) => each >= from));
      }
    }),
    { numRuns: 30 },
  );
});

test.each([
  ["ascending", (at: number) => at],
  ["descending", (at: number) => 9_999 - at],
  ["scattered", (at: number) => (at * 7_919) % 10_000],
])("10,000 texts, %s: no block is large, few are small", (_order, numberAt) => {
  const texts = new SortedTexts();
  const textOf = (number: number): string => String(number).padStart(5, "0");
  for (let at = 0; at < 10_000; at++) texts.add(textOf(numberAt(at)));
  expect([...texts]).toEqual(Array.from({ length: 10_000 }, (_, at) => textOf(at)));
  expect(Math.max(...texts.blocks.map(({ length }) => length))).toBeLessThanOrEqual(512);
  expect(texts.blocks.length).toBeLessThanOrEqual(40);
  for (let at = 0; at < 10_000; at++) texts.delete(textOf(numberAt(at)));
  expect([texts.size, texts.blocks.length]).toEqual([0, 0]);
});
