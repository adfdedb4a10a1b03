/** Work with pauses leaves the thread to others, ends once, and ends with what a step has thrown. */
import { expect, test } from "vitest";
import { BusyClock } from "../integrity/scrub/scrub.fixture.js";
import type { Work } from "../state/work.js";
import { runInTurns } from "./turns.js";

/** Each unit takes `unitMs` of the thread. */
function* rows(clock: BusyClock, { count, unitMs }: { count: number; unitMs: number }, work: Work) {
  for (let at = 0; at < count; at++) {
    clock.work(unitMs);
    if (work.spend(1)) yield;
  }
  return count;
}

test.each([
  { unitMs: 0.001, mostMs: 1.1 },
  { unitMs: 0.01, mostMs: 5 },
])("rows of $unitMs ms: no turn takes longer than $mostMs ms", ({ unitMs, mostMs }) => {
  const clock = new BusyClock();
  const results: unknown[] = [];
  const count = 20_000;
  let longest = 0;
  const timed = (fn: () => unknown): unknown => {
    const beforeMs = clock.busyMs;
    const result = fn();
    longest = Math.max(longest, clock.busyMs - beforeMs);
    return result;
  };
  timed(() =>
    runInTurns(
      (work) => rows(clock, { count, unitMs }, work),
      { clock },
      (r) => results.push(r),
    ),
  );
  expect(results).toEqual([]);
  while (timed(() => clock.step()));
  expect(results).toEqual([count]);
  expect(longest).toBeLessThanOrEqual(mostMs);
});

test("little work ends inside the call; an error is the result; a stop ends all", () => {
  const clock = new BusyClock();
  const results: unknown[] = [];
  const done = (result: unknown): void => {
    results.push(result);
  };
  runInTurns((work) => rows(clock, { count: 10, unitMs: 0.01 }, work), { clock }, done);
  expect(results).toEqual([10]);

  const damage = new Error("a damaged row");
  const failing = function* (work: Work) {
    yield* rows(clock, { count: 5_000, unitMs: 0.01 }, work);
    throw damage;
  };
  runInTurns(failing, { clock }, done);
  while (clock.step());
  expect(results).toEqual([10, damage]);

  let isStopped = false;
  let isGivenBack = false;
  const parts = { clock, isStopped: () => isStopped };
  const holding = function* (work: Work) {
    try {
      return yield* rows(clock, { count: 5_000, unitMs: 0.01 }, work);
    } finally {
      isGivenBack = true;
    }
  };
  runInTurns(holding, parts, done);
  clock.step();
  isStopped = true;
  expect(isGivenBack).toBe(false);
  while (clock.step());
  expect(results).toEqual([10, damage]);
  expect(isGivenBack).toBe(true);
});
