import fc from "fast-check";
import { expect, test } from "vitest";
import { madeUpHistory } from "../history.fixture.js";
import { layOutHistory } from "../history-page.js";
import { ItemIndex } from "./item-index.js";

const data = layOutHistory({ history: madeUpHistory(400), title: "" });
const { items } = data;

test("finds what is in view of a row, as a search through all does", () => {
  const index = new ItemIndex(data);
  fc.assert(
    fc.property(fc.nat(data.rows.length - 1), fc.nat(42_000), fc.nat(5000), (row, fromUs, span) => {
      const toUs = fromUs + span;
      const { bars, moments } = index.inView(row, fromUs, toUs);
      const expected = [...items.keys()].filter((place) => {
        const item = items[place];
        return item?.row === row && item.fromUs <= toUs && item.toUs >= fromUs;
      });
      expect([...bars, ...moments].sort((a, b) => a - b)).toEqual(expected);
    }),
  );
});

test("words of a filter must all occur; names narrow them", () => {
  const index = new ItemIndex(data);
  const shown = (text: string): string[] => {
    index.filter(text);
    return items.filter((_, place) => index.isShown(place)).map(({ details }) => details);
  };
  expect(shown("").length).toBe(items.length);
  expect(shown("no such thing")).toEqual([]);
  const puts = shown("KIND:put");
  expect(puts.length).toBeGreaterThan(50);
  for (const details of puts) expect(details).toContain("kind: put");
  const few = shown("kind:put key:k1 client:2");
  expect(few.length).toBeGreaterThan(0);
  expect(few.length).toBeLessThan(puts.length);
  for (const details of few) expect(details).toMatch(/client: 2\n[\s\S]*key: k1\n/);
  expect(index.shown).toBe(few.length);
  expect(shown("outcome:unknown").length).toBe(8);
  // Without quotes these are three words, which other requests hold, too.
  expect(shown('"k1 .. k9"').every((details) => details.includes("key: k1 .. k9"))).toBe(true);
  expect(shown('key:"k1 .. k9"').length).toBe(shown('"key: k1 .. k9"').length);
});

test("the pointer finds the nearest shown item of its row, answers of a watch before the watch", () => {
  const index = new ItemIndex(data);
  const row = items.find(({ kind }) => kind === "watch")?.row as number;
  const event = items.find((item) => item.row === row && item.isMoment);
  const near = index.at(row, (event?.fromUs ?? 0) + 3, 5) as number;
  expect(items[near]).toBe(event);
  const beside = index.at(row, (event?.fromUs ?? 0) + 30, 5) as number;
  expect(items[beside]?.kind).toBe("watch");
  index.filter("kind:put");
  expect(index.at(row, event?.fromUs ?? 0, 5)).toBeUndefined();
});

test("steps from match to match in both directions", () => {
  const index = new ItemIndex(data);
  index.filter("outcome:unknown");
  const places = [...items.keys()].filter((place) => index.isShown(place));
  const [first, second] = places as [number, number];
  expect(index.next(items[first]?.fromUs ?? 0, false)).toBe(second);
  expect(index.next(items[second]?.fromUs ?? 0, true)).toBe(first);
  expect(index.next(items[places.at(-1) as number]?.fromUs ?? 0, false)).toBeUndefined();
});

test("the first open end of a row is that of a shown item", () => {
  const index = new ItemIndex(data);
  const open = items.find(({ isOpen, kind }) => isOpen && kind !== "watch");
  expect(index.firstOpen(open?.row as number)).toBe(open);
  index.filter("outcome:ok");
  expect(index.firstOpen(open?.row as number)).toBeUndefined();
});
