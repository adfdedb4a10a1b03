import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { runThrough, Work } from "../work.js";
import { KeyHistory } from "./key-history.js";
import { KeyIndex, keyBytes, keyText } from "./key-index.js";

const key = fc
  .tuple(fc.constantFrom("", "p/", "\xff"), fc.integer({ min: 0, max: 1500 }))
  .map(([prefix, number]) => prefix + number.toString(7));

type Step = { readonly op: "put" | "delete" | "forget"; readonly key: string };
const step: fc.Arbitrary<Step> = fc.record({
  op: fc.constantFrom("put", "put", "put", "delete", "forget"),
  key,
});

/** Runs the steps on an index and on a plain map of key -> is alive. */
function build(steps: readonly Step[]): { index: KeyIndex; model: Map<string, boolean> } {
  const index = new KeyIndex();
  const model = new Map<string, boolean>();
  steps.forEach(({ op, key: text }, at) => {
    const isAlive = model.get(text);
    if (op === "put") {
      index.put(text, at + 2, 0);
      model.set(text, true);
    } else if (op === "delete" && isAlive === true) {
      index.delete(text, at + 2, 0);
      model.set(text, false);
    } else if (op === "forget" && isAlive === false) {
      index.dropFirst(text, index.get(text)?.count ?? 0);
      model.delete(text);
    }
  });
  return { index, model };
}

function scanned(index: KeyIndex, range: { from: string; to: string | undefined }): string[] {
  const seen: string[] = [];
  index.scan(range, (text) => {
    seen.push(text);
    return true;
  });
  return seen;
}

test("the tree holds, orders and counts what a plain map does", () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 4_000, size: "max" }),
      fc.array(fc.tuple(key, fc.option(key, { nil: undefined })), { maxLength: 10 }),
      (steps, ranges) => {
        const { index, model } = build(steps);
        const sorted = [...model.keys()].sort();
        expect(scanned(index, { from: "", to: undefined })).toEqual(sorted);
        expect(index.aliveCount()).toBe(sorted.filter((text) => model.get(text)).length);
        for (const [from, to] of ranges) {
          const inside = sorted.filter((text) => text >= from && (to === undefined || text < to));
          expect(scanned(index, { from, to })).toEqual(inside);
          const alive = inside.filter((text) => model.get(text));
          expect(index.aliveIn({ from, to })).toBe(alive.length);
          expect(index.get(from)?.isAlive()).toBe(model.get(from));
        }
      },
    ),
    { numRuns: 40 },
  );
});

test("a loaded index goes on like the one it was taken from", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 600, size: "max" }), (steps) => {
      const { index } = build(steps);
      const histories = new Map<string, KeyHistory>();
      index.scan({ from: "", to: undefined }, (text, history) => {
        histories.set(text, history);
        return true;
      });
      const loaded = new KeyIndex();
      const work = new Work(1);
      const texts = [...histories.keys()];
      runThrough(loaded.load(texts, (text) => histories.get(text) as KeyHistory, work));
      expect(loaded.aliveCount()).toBe(index.aliveCount());
      expect(loaded.aliveIn({ from: "p", to: "q" })).toBe(index.aliveIn({ from: "p", to: "q" }));
      loaded.put("zz", 10_000, 0);
      expect(scanned(loaded, { from: "", to: undefined })).toEqual(
        [...histories.keys(), "zz"].sort(),
      );
    }),
    { numRuns: 40 },
  );
});

test("keys in order and in reverse keep every neighbour reachable, also when all go again", () => {
  const texts = Array.from({ length: 5_000 }, (_, at) => at.toString().padStart(5, "0"));
  for (const order of [texts, [...texts].reverse()]) {
    const index = new KeyIndex();
    for (const text of order) index.put(text, 2, 0);
    expect(scanned(index, { from: "", to: undefined })).toEqual(texts);
    for (const text of order) {
      index.delete(text, 3, 0);
      index.dropFirst(text, 2);
    }
    expect(scanned(index, { from: "", to: undefined })).toEqual([]);
    expect(index.aliveCount()).toBe(0);
    index.put("again", 4, 0);
    expect(scanned(index, { from: "", to: undefined })).toEqual(["again"]);
  }
});

test("a scan stops when its visitor has enough", () => {
  const index = new KeyIndex();
  for (let at = 0; at < 300; at++) index.put(String(at).padStart(3, "0"), 2, at);
  const seen: string[] = [];
  index.scan({ from: "100", to: undefined }, (text) => seen.push(text) < 3);
  expect(seen).toEqual(["100", "101", "102"]);
});

test("texts keep all bytes and their order", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 40 }), (a, b) => {
      expect(Uint8Array.from(keyBytes(keyText(a)))).toEqual(a);
      const order = Buffer.compare(a, b);
      expect(keyText(a) < keyText(b)).toBe(order < 0);
    }),
  );
});

describe("the worked example of a history", () => {
  const history = new KeyHistory();
  history.put(2, 0);
  history.put(3, 4);
  history.delete(5, 1);
  history.put(7, 0);

  test("reads at each revision", () => {
    const seen = [1, 2, 3, 4, 5, 6, 7, 9].map((revision) => history.liveAt(revision));
    expect(seen).toEqual([-1, 0, 1, 1, -1, -1, 3, 3]);
    expect([history.main(1), history.sub(1), history.sub(2)]).toEqual([3, 4, 1]);
    expect([history.isTombstone(2), history.isTombstone(3)]).toEqual([true, false]);
    expect([history.createRevision, history.version, history.count]).toEqual([7, 1, 4]);
  });

  test("forgetting the oldest keeps what follows", () => {
    history.dropFirst(2);
    expect([history.count, history.main(0), history.isTombstone(0)]).toEqual([2, 5, true]);
    expect([history.liveAt(4), history.liveAt(6), history.liveAt(7)]).toEqual([-1, -1, 1]);
    history.dropFirst(1);
    expect([history.count, history.main(0), history.isEmpty()]).toEqual([1, 7, false]);
    history.put(9, 0);
    expect([history.count, history.liveAt(8), history.version]).toEqual([2, 0, 2]);
  });
});
