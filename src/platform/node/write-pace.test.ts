import { expect, test } from "vitest";
import { WritePace } from "./write-pace.js";

/** A loop whose time passes as the test says. */
class Loop {
  nowMs = 0;
  waitedMs = 0;
  readonly pace = new WritePace({ now: () => this.nowMs, idleMs: () => this.waitedMs });

  /** One request: the loop waits for it, works, and writes for `writeMs`. */
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
  for (let at = 0; at < 8; at++) expect(loop.turn(calm)).toBe(false);
  return loop;
}

test("small writes hold the loop once eight in a row were quick, and go on to", () => {
  const loop = quickLoop();
  for (let at = 0; at < 100; at++) expect(loop.turn(calm)).toBe(true);
});

test("one slow write sends the next eight to the thread pool", () => {
  const loop = quickLoop();
  expect(loop.turn({ ...calm, writeMs: 1.5 })).toBe(true);
  for (let at = 0; at < 8; at++) expect(loop.turn(calm)).toBe(false);
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
