/**
 * Virtual time for a whole simulated world. Events run in order of their time, ties in order of
 * their creation, so one seed gives one order. Each member gets a clock of its own by `view`, which
 * dies with the member: after a crash none of its callbacks runs any more.
 */
import { invariant } from "../../base/invariant.js";
import type { Clock, Timer } from "../../platform/clock.js";

interface Event {
  readonly dueMs: number;
  readonly order: number;
  readonly fn: () => void;
  isCancelled: boolean;
}

/** Where the world's wall clock starts; any constant will do. */
const epochMs = 1_700_000_000_000;

export class SimClock {
  #nowMs = 0;
  #created = 0;
  /** A binary heap by due time, then order. */
  readonly #heap: Event[] = [];
  steps = 0;

  now(): number {
    return this.#nowMs;
  }

  at(delayMs: number, fn: () => void): Timer {
    const dueMs = this.#nowMs + Math.max(0, delayMs);
    const event = { dueMs, order: this.#created++, fn, isCancelled: false };
    this.#push(event);
    return {
      cancel: () => {
        event.isCancelled = true;
      },
    };
  }

  /** A member's own clock; `isAlive` false silences it. `rate` 1.01 runs a hundredth fast. */
  view(isAlive: () => boolean, rate = 1): Clock {
    const after = (delayMs: number, fn: () => void): Timer =>
      this.at(delayMs / rate, () => {
        if (isAlive()) fn();
      });
    return {
      now: () => this.#nowMs * rate,
      unixMs: () => epochMs + Math.floor(this.#nowMs * rate),
      after,
      defer: (fn) => {
        after(0, fn);
      },
    };
  }

  /** Runs the next event; false when there is none. */
  step(): boolean {
    const event = this.#next();
    if (event === undefined) return false;
    this.#pop();
    invariant(event.dueMs >= this.#nowMs, "virtual time runs backwards");
    this.#nowMs = event.dueMs;
    this.steps++;
    event.fn();
    return true;
  }

  /** Runs events until `holds`, at most for `limitMs` of virtual time; says whether it came true. */
  runUntil(holds: () => boolean, limitMs: number): boolean {
    const endMs = this.#nowMs + limitMs;
    while (!holds()) {
      const next = this.#next();
      if (next === undefined || next.dueMs > endMs) {
        this.#nowMs = endMs;
        return false;
      }
      this.step();
    }
    return true;
  }

  run(durationMs: number): void {
    this.runUntil(() => false, durationMs);
  }

  /** The next event that will run; cancelled ones before it are let go. */
  #next(): Event | undefined {
    while (this.#heap[0]?.isCancelled === true) this.#pop();
    return this.#heap[0];
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, heap[parent] as Event)) break;
      heap[at] = heap[parent] as Event;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Event, heap[child] as Event)) {
        child++;
      }
      if (!isBefore(heap[child] as Event, last)) break;
      heap[at] = heap[child] as Event;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
}
