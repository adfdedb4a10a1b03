import { expect, test } from "vitest";
import { WritePace } from "./write-pace.js";

/** An event loop whose time passes as the test says. */
class Loop {
  nowMs = 0;
  waitedMs = 0;
  readonly pace = new WritePace({ now: () => this.nowMs, idleMs: () => this.waitedMs });

  /** Runs one request: the loop waits for it, works, and writes for `writeMs`. */
  turn(of: { waitMs: number; workMs: number; writeMs: number; bytes?: number }): boolean {
    this.waitedMs += of.waitMs;
    this.nowMs += of.waitMs + of.workMs;
    const holds = this.pace.mayHoldLoop(of.bytes ?? 400);
    this.nowMs += of.writeMs;
    if (!holds) this.waitedMs += of.writeMs;
    this.pace.took(of.writeMs, holds);
    return holds;
  }
}

const calm = { waitMs: 0.2, workMs: 0.1, writeMs: 0.2 };

function quickLoop(): Loop {
  const loop = new Loop();
  expect(loop.turn(calm)).toBe(false);
  return loop;
}

/** How many turns go through the pool before one holds the loop. */
function avoided(loop: Loop): number {
  let count = 0;
  while (!loop.turn(calm)) count++;
  return count;
}

test("small writes hold the loop once one was quick, and go on to", () => {
  const loop = quickLoop();
  for (let at = 0; at < 100; at++) expect(loop.turn(calm)).toBe(true);
});

test("one write of over 5 ms in the loop sends four to the thread pool, the next eight, at most 512", () => {
  const loop = quickLoop();
  const slow = { ...calm, writeMs: 5.5 };
  const counts: number[] = [];
  for (let at = 0; at < 9; at++) {
    expect(loop.turn(slow)).toBe(true);
    counts.push(avoided(loop));
  }
  expect(counts).toEqual([4, 8, 16, 32, 64, 128, 256, 512, 512]);
  for (let at = 0; at < 32; at++) expect(loop.turn(calm)).toBe(true);
  expect(loop.turn(slow)).toBe(true);
  expect(avoided(loop)).toBe(4);
});

test("on a slow disk no write holds the loop; a quick one among slow ones shows that it is not", () => {
  const loop = new Loop();
  const slow = { ...calm, writeMs: 5 };
  for (let at = 0; at < 50; at++) expect(loop.turn(slow)).toBe(false);
  expect(loop.turn(calm)).toBe(false);
  expect(loop.turn(calm)).toBe(true);
});

test("a large write leaves the loop free, and so does any write while the loop is busy", () => {
  const loop = quickLoop();
  expect(loop.turn({ ...calm, bytes: 5_000 })).toBe(false);
  expect(loop.turn({ waitMs: 0.05, workMs: 2, writeMs: 0.2 })).toBe(false);
  expect(loop.turn(calm)).toBe(true);
});

test("the time that a write holds the loop does not count as work", () => {
  const loop = quickLoop();
  for (let at = 0; at < 50; at++) {
    expect(loop.turn({ waitMs: 0.05, workMs: 0.1, writeMs: 0.9 })).toBe(true);
  }
});
