import { describe, expect, test } from "vitest";
import { type Entry, EntryType } from "../types.js";
import { Unstable } from "./unstable.js";

function entries(term: number, from: number, to: number): Entry[] {
  const made: Entry[] = [];
  for (let index = from; index <= to; index++) {
    made.push({ term, index, type: EntryType.normal, data: new Uint8Array(0) });
  }
  return made;
}

function handOut(unstable: Unstable): void {
  unstable.takeEntries();
}

describe("what a durable write vouches for", () => {
  test("its own entries", () => {
    const unstable = new Unstable(5);
    unstable.append(entries(1, 5, 7));
    handOut(unstable);
    unstable.append(entries(1, 8, 9));
    handOut(unstable);
    unstable.persisted(7, 1);
    expect(unstable.offset).toBe(8);
    unstable.persisted(9, 1);
    expect(unstable.offset).toBe(10);
    expect(unstable.isEmpty).toBe(true);
  });

  // At one index the terms are 1, then 2, then 1 again: the first write must not confirm the third.
  test("not for an equal entry that a later write still has to restore", () => {
    const unstable = new Unstable(5);
    for (const term of [1, 2, 1]) {
      unstable.append(entries(term, 5, 5));
      handOut(unstable);
    }
    unstable.persisted(5, 1);
    expect(unstable.offset).toBe(5);
    unstable.persisted(5, 2);
    expect(unstable.offset).toBe(5);
    unstable.persisted(5, 1);
    expect(unstable.offset).toBe(6);
  });

  test("what no later write replaces, at once and not only when the terms agree", () => {
    const unstable = new Unstable(5);
    unstable.append(entries(1, 5, 9));
    handOut(unstable);
    unstable.append(entries(3, 8, 8));
    handOut(unstable);
    unstable.persisted(9, 1);
    expect(unstable.offset).toBe(8);
    unstable.persisted(8, 3);
    expect(unstable.offset).toBe(9);
  });

  test("nothing after a snapshot took the place of the log", () => {
    const unstable = new Unstable(5);
    unstable.append(entries(1, 5, 9));
    handOut(unstable);
    const confState = { voters: [], learners: [], votersOutgoing: [], learnersNext: [] };
    unstable.restore({ index: 7, term: 2, confState: { ...confState, autoLeave: false } });
    unstable.append(entries(2, 8, 9));
    handOut(unstable);
    unstable.persisted(9, 1);
    expect(unstable.offset).toBe(8);
    unstable.persisted(9, 2);
    expect(unstable.offset).toBe(10);
  });

  test("reports out of order, repeated or unknown are refused", () => {
    const unstable = new Unstable(5);
    expect(() => unstable.persisted(5, 1)).toThrow("in order");
    unstable.append(entries(1, 5, 5));
    handOut(unstable);
    unstable.append(entries(1, 6, 6));
    handOut(unstable);
    expect(() => unstable.persisted(6, 1)).toThrow("in order");
  });
});

test("entries that were replaced before they left are never handed out", () => {
  const unstable = new Unstable(5);
  unstable.append(entries(1, 5, 6));
  handOut(unstable);
  unstable.append(entries(1, 7, 9));
  unstable.append(entries(2, 6, 7));
  expect(unstable.takeEntries()).toEqual(entries(2, 6, 7));
  expect(unstable.lastIndex()).toBe(7);
  expect(unstable.term(6)).toBe(2);
  expect(unstable.term(8)).toBeUndefined();
});

test("a gap is refused", () => {
  expect(() => new Unstable(5).append(entries(1, 6, 6))).toThrow("gap");
});
