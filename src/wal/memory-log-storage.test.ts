/** Compares the log in memory with a plain array. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Entry, SnapshotMeta } from "../raft/types.js";
import { MemoryLogStorage } from "./memory-log-storage.js";
import { confState, entries, entry, indexesOf } from "./wal.fixture.js";

const meta = (index: number, term: number): SnapshotMeta => ({ index, term, confState });
const sizeOf = ({ data }: Entry): number => data.length + 24;

describe("what raft reads", () => {
  test("an empty log, and one that starts from a snapshot", () => {
    const log = new MemoryLogStorage();
    expect([log.firstIndex(), log.lastIndex(), log.term(0), log.term(1)]).toEqual([
      1,
      0,
      0,
      undefined,
    ]);
    log.restore(meta(10, 3));
    expect([log.firstIndex(), log.lastIndex()]).toEqual([11, 10]);
    expect([9, 10, 11].map((index) => log.term(index))).toEqual([undefined, 3, undefined]);
  });

  test("the state to start from is what was given, after a restore with its configuration", () => {
    const log = new MemoryLogStorage();
    const hardState = { term: 4, vote: 2n, commit: 10 };
    let newest: SnapshotMeta | undefined;
    log.start({ hardState, confState, snapshot: () => newest });
    expect(log.initialState()).toEqual({ hardState, confState });
    expect(log.snapshot()).toBeUndefined();
    newest = meta(10, 3);
    expect(log.snapshot()).toBe(newest);
    const other = { ...confState, voters: [9n] };
    log.restore({ index: 10, term: 3, confState: other });
    expect(log.initialState().confState).toEqual(other);
  });

  test("pages end before the limit but hold at least one entry", () => {
    const log = new MemoryLogStorage();
    log.append(entries(1, 10));
    const size = sizeOf(entry(1, 1));
    const page = (low: number, high: number, bytesMax: number): number[] =>
      indexesOf(log.entries(low, high, bytesMax) ?? []);
    expect(page(1, 11, 3 * size)).toEqual([1, 2, 3]);
    expect(page(1, 11, 3 * size - 1)).toEqual([1, 2]);
    expect(page(4, 6, 0)).toEqual([4]);
    expect(page(4, 6, Number.MAX_SAFE_INTEGER)).toEqual([4, 5]);
    expect(page(9, 99, Number.MAX_SAFE_INTEGER)).toEqual([9, 10]);
    log.compact(4);
    expect(log.entries(4, 6, 100)).toBeUndefined();
    expect(page(5, 6, 100)).toEqual([5]);
  });
});

test("gaps and compaction outside of the log are bugs of the caller", () => {
  const log = new MemoryLogStorage();
  log.append(entries(1, 5));
  expect(() => log.append([entry(7, 1)])).toThrow("the log would have a gap");
  expect(() => log.compact(6)).toThrow("compaction outside of the log");
  log.compact(3);
  expect(() => log.append([entry(3, 1)])).toThrow("the log would have a gap");
  expect(() => log.compact(2)).toThrow("compaction outside of the log");
});

test("any history of appends, new tails, compactions and restores is as with an array", () => {
  const step = fc.record({
    kind: fc.constantFrom("append", "append", "append", "compact", "restore"),
    size: fc.integer({ min: 1, max: 5 }),
    back: fc.nat(4),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const log = new MemoryLogStorage();
      let base = { index: 0, term: 0 };
      let model: Entry[] = [];
      let term = 1;
      for (const { kind, size, back, share } of steps) {
        const last = model.at(-1)?.index ?? base.index;
        if (kind === "append") {
          const from = Math.max(base.index + 1, last + 1 - back);
          const added = entries(from, from + size - 1, ++term);
          log.append(added);
          model = [...model.filter(({ index }) => index < from), ...added];
        } else if (kind === "compact") {
          const index = base.index + Math.floor(share * (last - base.index));
          log.compact(index);
          base = { index, term: model.find((one) => one.index === index)?.term ?? base.term };
          model = model.filter((one) => one.index > index);
        } else {
          base = { index: last + size, term: ++term };
          log.restore(meta(base.index, base.term));
          model = [];
        }
        expect(log.firstIndex()).toBe(base.index + 1);
        expect(log.lastIndex()).toBe(model.at(-1)?.index ?? base.index);
        expect(log.term(base.index)).toBe(base.term);
        expect(log.bytes()).toBe(model.reduce((sum, one) => sum + sizeOf(one), 0));
        expect(log.entries(base.index + 1, log.lastIndex() + 1, 1e9)).toEqual(model);
        for (const one of model) expect(log.term(one.index)).toBe(one.term);
      }
    }),
  );
});
