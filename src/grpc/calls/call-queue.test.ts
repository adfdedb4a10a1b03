import { expect, test } from "vitest";
import { CallQueue } from "./call-queue.js";

const mebibyte = 1 << 20;

/** A queue with this many calls, and what has started. */
function filled(count: number, rules: { waiting?: () => number; stepMs?: number } = {}) {
  let nowMs = 0;
  const queue = new CallQueue({
    now: () => nowMs,
    waitingBytes: rules.waiting ?? (() => 0),
    waitingBytesHigh: () => 16 * mebibyte,
  });
  const started: number[] = [];
  const calls = Array.from({ length: count }, (_, at) => ({
    start: () => {
      started.push(at);
      nowMs += rules.stepMs ?? 0;
    },
  }));
  for (const call of calls) queue.add(call);
  const answer = (bytes: number, times: number): void => {
    for (let at = 0; at < times; at++) {
      queue.ended();
      queue.answered(bytes);
    }
  };
  return { queue, calls, started, answer };
}

test("a new connection runs a few calls; small answers let all others run", () => {
  const { queue, started, answer } = filled(2_000);
  expect(queue.run()).toBe(true);
  expect(started).toHaveLength(16);
  for (let turn = 0; turn < 5; turn++) {
    answer(40, 16);
    queue.run();
  }
  expect(started).toHaveLength(2_000);
  expect(started).toEqual(started.toSorted((x, y) => x - y));
});

test("large answers keep it at a few", () => {
  const { queue, started, answer } = filled(2_000);
  for (let turn = 0; turn < 5; turn++) {
    queue.run();
    answer(4 * mebibyte, 16);
  }
  expect(started).toHaveLength(80);
});

test("nothing starts while the client leaves its answers unread", () => {
  let waiting = 16 * mebibyte;
  const { queue, started } = filled(5, { waiting: () => waiting });
  queue.run();
  expect(started).toEqual([]);
  waiting = 0;
  queue.run();
  expect(started).toHaveLength(5);
});

test("calls that hang keep the others waiting for a moment only", () => {
  const { queue, started } = filled(40);
  queue.run();
  queue.run();
  expect(started).toHaveLength(16);
  queue.forgetRunning();
  queue.run();
  expect(started).toHaveLength(32);
});

test("a call that was removed never starts", () => {
  const { queue, calls, started } = filled(3);
  queue.remove(calls[1] as { start(): void });
  queue.run();
  expect(started).toEqual([0, 2]);
});

test("a long line is started in slices", () => {
  const { queue, started, answer } = filled(1_000, { stepMs: 0.5 });
  queue.run();
  answer(1, 100);
  expect(queue.run()).toBe(false);
  expect(started.length).toBeLessThan(100);
  while (!queue.run()) {}
  expect(started).toHaveLength(1_000);
});
