import { describe, expect, test } from "vitest";
import { ReadBarrier } from "./read-barrier.js";

function barrier(): {
  readonly reads: ReadBarrier;
  readonly log: string[];
  add(name: string, nowMs: number): void;
} {
  const reads = new ReadBarrier(100);
  const log: string[] = [];
  const add = (name: string, nowMs: number): void => {
    reads.add(nowMs, (error) => log.push(error === undefined ? name : `${name} ${error.reason}`));
  };
  return { reads, log, add };
}

describe("read rounds", () => {
  test("readers of one moment share a round; a later one waits for the next", () => {
    const { reads, log, add } = barrier();
    add("a", 0);
    add("b", 0);
    const first = reads.nextAsk(0, 0) as number;
    add("late", 1);
    expect(reads.nextAsk(1, 0)).toBeUndefined();
    reads.confirm(first, 5);
    reads.applied(4);
    expect(log).toEqual([]);
    reads.applied(5);
    expect(log).toEqual(["a", "b"]);
    expect(reads.isRoundOver()).toBe(true);
    const second = reads.nextAsk(2, 0) as number;
    expect(second).not.toBe(first);
    reads.confirm(second, 5);
    reads.applied(5);
    expect(log).toEqual(["a", "b", "late"]);
  });

  test("an answer below what was applied when it was asked for serves nobody", () => {
    const { reads, log, add } = barrier();
    add("a", 0);
    const first = reads.nextAsk(0, 25) as number;
    reads.confirm(first, 13);
    reads.applied(25);
    expect(log).toEqual(["a corrupt"]);
    // Entries applied after the question do not count: the answer was already on its way.
    add("b", 1);
    const second = reads.nextAsk(1, 25) as number;
    reads.confirm(second, 25);
    reads.applied(30);
    expect(log).toEqual(["a corrupt", "b"]);
    expect(reads.failedRounds).toBe(1);
  });

  test("a retry asks with a fresh id; an answer to either serves the round, once", () => {
    const { reads, log, add } = barrier();
    add("a", 0);
    const first = reads.nextAsk(0, 0) as number;
    const again = reads.nextAsk(600, 0) as number;
    expect(again).not.toBe(first);
    add("late", 601);
    reads.confirm(first, 3);
    reads.confirm(again, 9);
    reads.applied(3);
    expect(log).toEqual(["a"]);
  });

  test("an answer to an id of an ended round serves nobody: etcd #20418", () => {
    const { reads, log, add } = barrier();
    add("a", 0);
    const first = reads.nextAsk(0, 0) as number;
    reads.confirm(first, 1);
    reads.applied(1);
    add("b", 1);
    reads.nextAsk(1, 0);
    reads.confirm(first, 1);
    reads.applied(10);
    expect(log).toEqual(["a"]);
  });

  test("a new leader is asked at once", () => {
    const { reads, add } = barrier();
    add("a", 0);
    reads.nextAsk(0, 0);
    expect(reads.nextAsk(1, 0)).toBeUndefined();
    reads.leaderChanged();
    expect(reads.nextAsk(1, 0)).toBeDefined();
  });

  test("every reader ends: by timeout with the place where it was stuck", () => {
    const { reads, log, add } = barrier();
    add("unasked", 0);
    reads.expire(0);
    add("unanswered", 1);
    reads.nextAsk(1, 0);
    reads.expire(1);
    add("unapplied", 2);
    reads.confirm(reads.nextAsk(2, 0) as number, 50);
    reads.expire(2);
    expect(log).toEqual([
      "unasked timeout",
      "unanswered timeout",
      "unapplied timeoutWaitAppliedIndex",
    ]);
  });
});
