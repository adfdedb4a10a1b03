/** Compares the memory of configurations with a plain list of everything that was told to it. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Visited } from "./visited.js";

const lanes = 40;
const pending = 40;

interface Entry {
  readonly key: readonly number[];
  readonly used: readonly number[];
}

function visit(visited: Visited, { key, used }: Entry, otherBytes = 0): "new" | "seen" | "full" {
  visited.key.set(key);
  visited.used.fill(0);
  for (const bit of used) {
    visited.used[bit >>> 5] = (visited.used[bit >>> 5] as number) | (1 << (bit & 31));
  }
  return visited.visit(otherBytes);
}

describe("seen is what was told before with the same or fewer pending calls", () => {
  const small = fc.integer({ min: -1, max: 0 });
  const bit = fc.constantFrom<number>(0, 1, 2, 30, 31, 32, 39);

  test("with pending calls", () => {
    const entry = fc.record({
      key: fc.tuple(fc.constant(5), small, fc.constant(0), fc.constant(7)),
      used: fc.uniqueArray(bit, { maxLength: 5 }),
    });
    fc.assert(
      fc.property(fc.array(entry, { minLength: 30, maxLength: 120, size: "max" }), (entries) => {
        const visited = new Visited({ lanes, pending }, 1 << 24);
        const told: Entry[] = [];
        for (const one of entries) {
          const isSeen = told.some(
            ({ key, used }) =>
              key.every((word, at) => word === one.key[at]) &&
              used.every((other) => one.used.includes(other)),
          );
          expect(visit(visited, one)).toBe(isSeen ? "seen" : "new");
          told.push(one);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("without, through many growths", () => {
    const visited = new Visited({ lanes: 3, pending: 0 }, 1 << 24);
    const entry = (at: number): Entry => ({ key: [at % 977, at >> 3, at & 7], used: [] });
    for (let at = 0; at < 20_000; at++) expect(visit(visited, entry(at))).toBe("new");
    for (let at = 0; at < 20_000; at++) expect(visit(visited, entry(at))).toBe("seen");
    expect(visited.count).toBe(20_000);
  });
});

describe("memory", () => {
  /** The number of configurations that fit. */
  function fill(
    size: { readonly lanes: number; readonly pending: number },
    bytesMax: number,
  ): number {
    const visited = new Visited(size, bytesMax);
    for (let at = 0; ; at++) {
      // Of one configuration with ever other sets, none part of another; or of ever others.
      const used = size.pending === 0 ? [] : [at & 31, 32 + ((at >> 5) & 31), 95];
      const key = size.pending === 0 ? [at, 0, 0] : [at >> 7, 0, 0];
      const result = visit(visited, { key, used });
      expect(visited.bytes).toBeLessThanOrEqual(bytesMax);
      if (result === "full") return at;
      expect(result).toBe("new");
    }
  }

  test("it ends where it was told to, and uses what it was given", () => {
    expect(fill({ lanes: 1, pending: 0 }, 1 << 20)).toBeGreaterThan((1 << 20) / 64);
    expect(fill({ lanes: 1, pending: 96 }, 1 << 20)).toBeGreaterThan((1 << 20) / 128);
  });

  test("what others hold counts", () => {
    const visited = new Visited({ lanes: 1, pending: 0 }, 1 << 20);
    let result = "new";
    let count = 0;
    for (; result === "new"; count++)
      result = visit(visited, { key: [count, 0, 0], used: [] }, 1 << 20);
    expect(result).toBe("full");
    expect(count).toBeLessThan(1_000);
  });
});
