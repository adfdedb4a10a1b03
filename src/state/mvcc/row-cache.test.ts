import fc from "fast-check";
import { expect, test } from "vitest";
import { RowCache } from "./row-cache.js";

/** A row that tells its revision, of this length. */
function rowOf(main: number, sub: number, length: number): Uint8Array {
  return new Uint8Array(Math.max(8, length)).fill((main * 7 + sub * 13) & 0xff, 0);
}

const added = fc.record({
  main: fc.integer({ min: 1, max: 1 << 20 }),
  sub: fc.nat({ max: 3 }),
  length: fc.oneof(fc.nat({ max: 300 }), fc.integer({ min: 2_000, max: 20_000 })),
});

test("a row comes back as it was added, or not at all", () => {
  fc.assert(
    fc.property(fc.array(added, { minLength: 1, maxLength: 3_000 }), (rows) => {
      const cache = new RowCache();
      const lengths = new Map<string, number>();
      for (const { main, sub, length } of rows) {
        const known = lengths.get(`${main}.${sub}`);
        lengths.set(`${main}.${sub}`, known ?? length);
        cache.add(main, sub, rowOf(main, sub, known ?? length), 0);
      }
      for (const { main, sub } of rows) {
        const row = cache.get(main, sub, 0);
        const wanted = rowOf(main, sub, lengths.get(`${main}.${sub}`) as number);
        if (row !== undefined) expect(Buffer.compare(row, wanted)).toBe(0);
      }
      const last = rows.at(-1) as (typeof rows)[number];
      expect(cache.get(last.main, last.sub, 0)).toBeDefined();
      expect(cache.get(1 << 21, 0, 0)).toBeUndefined();
    }),
    { numRuns: 30 },
  );
});

test("rows of neighbouring revisions do not push each other out while all have room", () => {
  const cache = new RowCache();
  for (let main = 1; main <= 60_000; main++) cache.add(main, 0, rowOf(main, 0, 100), 0);
  for (let main = 1; main <= 60_000; main++) expect(cache.get(main, 0, 0)?.length).toBe(100);
});

test("the oldest rows go, and one that was handed out stays what it was", () => {
  const cache = new RowCache();
  cache.add(1, 0, rowOf(1, 0, 100), 0);
  const early = cache.get(1, 0, 0) as Uint8Array;
  const large = new Uint8Array(512 * 1024).fill(5);
  for (let main = 2; main < 100; main++) cache.add(main, 0, large, 0);
  expect(cache.get(1, 0, 0)).toBeUndefined();
  expect(cache.get(99, 0, 0)?.length).toBe(large.length);
  const kept = Array.from({ length: 100 }, (_, main) => cache.get(main, 0, 0)).filter(Boolean);
  expect(kept.length).toBe(64);
  for (let main = 100; main < 1_000; main++) cache.add(main, 0, rowOf(main, 0, 1_000), 0);
  expect(Buffer.compare(early, rowOf(1, 0, 100))).toBe(0);
});

test("a row is used for a second after the read that read it began", () => {
  const cache = new RowCache();
  cache.add(1, 0, rowOf(1, 0, 100), 5_000);
  cache.add(2, 0, rowOf(2, 0, 9_000), 5_000);
  // A later read adds to the same chunk: it counts as old as the chunk's first row.
  cache.add(3, 0, rowOf(3, 0, 100), 5_600);
  for (const main of [1, 2, 3]) {
    expect(cache.get(main, 0, 6_000)).toBeDefined();
    expect(cache.get(main, 0, 6_001)).toBeUndefined();
  }
  cache.add(1, 0, rowOf(1, 0, 100), 6_001);
  expect(cache.get(1, 0, 7_001)).toBeDefined();
});

test("a row is copied, and one that would push out many others is not kept", () => {
  const cache = new RowCache();
  for (const length of [100, 5_000]) {
    const row = Buffer.alloc(length, 1);
    cache.add(length, 0, row, 0);
    row.fill(2);
    expect(cache.get(length, 0, 0)?.[0]).toBe(1);
  }
  cache.add(7, 0, new Uint8Array(2 * 1024 * 1024), 0);
  expect(cache.get(7, 0, 0)).toBeUndefined();
});
