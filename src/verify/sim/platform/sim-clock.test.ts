import fc from "fast-check";
import { expect, test } from "vitest";
import { SimClock } from "./sim-clock.js";

test("events run in order of time, ties in order of creation, cancelled ones never", () => {
  const event = fc.record({ delayMs: fc.nat(20), isCancelled: fc.boolean() });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      const clock = new SimClock();
      const seen: string[] = [];
      const timers = events.map(({ delayMs }, at) =>
        clock.at(delayMs, () => seen.push(`${clock.now()} ${delayMs} ${at}`)),
      );
      events.forEach(({ isCancelled }, at) => {
        if (isCancelled) timers[at]?.cancel();
      });
      while (clock.step());
      const expected = events
        .map(({ delayMs, isCancelled }, at) => ({ delayMs, isCancelled, at }))
        .filter(({ isCancelled }) => !isCancelled)
        .sort((a, b) => a.delayMs - b.delayMs || a.at - b.at)
        .map(({ delayMs, at }) => `${delayMs} ${delayMs} ${at}`);
      expect(seen).toEqual(expected);
    }),
  );
});

test("running for a time runs nothing behind its end, also when what was before is cancelled", () => {
  const clock = new SimClock();
  const seen: string[] = [];
  clock.at(5, () => seen.push("cancelled")).cancel();
  clock.at(10, () => seen.push("in time"));
  clock.at(30, () => seen.push("later"));
  clock.at(12, () => seen.push("cancelled too")).cancel();
  clock.run(20);
  expect(seen).toEqual(["in time"]);
  expect(clock.now()).toBe(20);
  expect(clock.runUntil(() => seen.length === 2, 100)).toBe(true);
  expect(clock.now()).toBe(30);
  expect(clock.step()).toBe(false);
});

test("an event may make others, at once and later", () => {
  const clock = new SimClock();
  const seen: number[] = [];
  const again = (): void => {
    seen.push(clock.now());
    if (seen.length < 4) clock.at(seen.length === 2 ? 0 : 7, again);
  };
  clock.at(-5, again);
  clock.run(100);
  expect(seen).toEqual([0, 7, 7, 14]);
});

test("a member's clock runs at its own rate and dies with the member", () => {
  const clock = new SimClock();
  let isAlive = true;
  const fast = clock.view(0, { rate: 2, wallOffsetMs: 0 }, () => isAlive);
  const seen: number[] = [];
  fast.after(100, () => seen.push(clock.now()));
  fast.after(200, () => seen.push(clock.now()));
  fast.defer(() => seen.push(clock.now()));
  clock.run(60);
  expect(seen).toEqual([0, 50]);
  expect(fast.now()).toBe(120);
  isAlive = false;
  clock.run(100);
  expect(seen).toEqual([0, 50]);
});

test("a timer that was due while its owner was paused can be cancelled until it runs", () => {
  const clock = new SimClock();
  const ran: string[] = [];
  clock.pause(1);
  clock.at(5, () => second.cancel(), 1);
  const second = clock.at(5, () => ran.push("second"), 1);
  clock.at(5, () => ran.push("third"), 1);
  clock.run(10);
  expect(ran).toEqual([]);
  clock.resume(1);
  clock.run(1);
  expect(ran).toEqual(["third"]);
});
