/**
 * Virtual time for a whole simulated cluster, in whole microseconds. Events run in order of their
 * time, ties in order of their creation, so one plan gives one order. An event belongs to an owner
 * (a node's place, or -1 for the world); the events of a paused owner wait until it continues. Each
 * event knows the event that caused it: reports follow these links back.
 */
import { invariant } from "../../../base/invariant.js";
import type { Clock, Timer } from "../../../platform/clock.js";

class Event implements Timer {
  dueUs: number;
  id: number;
  cause: number;
  readonly owner: number;
  fn: (() => void) | undefined;

  constructor(dueUs: number, id: number, from: { cause: number; owner: number; fn: () => void }) {
    this.dueUs = dueUs;
    this.id = id;
    this.cause = from.cause;
    this.owner = from.owner;
    this.fn = from.fn;
  }

  cancel(): void {
    this.fn = undefined;
  }
}

/** The owner of timers that belong to no node. */
export const worldOwner = -1;
/** Where the world's wall clock starts; any constant will do. */
const epochMs = 1_700_000_000_000;

/** How a node's clock differs from the world's. */
export interface ClockSkew {
  /** 1.01: the clock runs a hundredth fast. */
  readonly rate: number;
  /** How far the wall clock is ahead; may change at any time. */
  wallOffsetMs: number;
}

export class SimClock {
  #nowUs = 0;
  #created = 0;
  /** The events, in a binary heap by due time, then by order of creation. */
  readonly #heap: Event[] = [];
  readonly #held = new Map<number, Event[]>();
  #current: Event | undefined;
  /** Called after each event, with its owner. */
  onStep: (owner: number) => void = () => {};
  steps = 0;

  /** Milliseconds. */
  now(): number {
    return this.#nowUs / 1000;
  }

  nowUs(): number {
    return this.#nowUs;
  }

  /** The event that runs now, or 0; and the event that caused it. */
  currentId(): number {
    return this.#current?.id ?? 0;
  }

  currentCause(): number {
    return this.#current?.cause ?? 0;
  }

  at(delayMs: number, fn: () => void, owner = worldOwner): Timer {
    return this.afterUs(Math.round(delayMs * 1000), fn, owner);
  }

  afterUs(delayUs: number, fn: () => void, owner = worldOwner): Timer {
    const dueUs = this.#nowUs + Math.max(0, delayUs);
    const event = new Event(dueUs, ++this.#created, { cause: this.currentId(), owner, fn });
    this.#push(event);
    return event;
  }

  /** A node's own clock; silent as soon as `isAlive` is false. */
  view(owner: number, skew: ClockSkew, isAlive: () => boolean): Clock {
    const after = (delayMs: number, fn: () => void): Timer =>
      this.afterUs(
        Math.ceil((delayMs * 1000) / skew.rate),
        () => {
          if (isAlive()) fn();
        },
        owner,
      );
    return {
      now: () => (this.#nowUs * skew.rate) / 1000,
      unixMs: () => epochMs + Math.floor((this.#nowUs * skew.rate) / 1000 + skew.wallOffsetMs),
      after,
      defer: (fn) => {
        after(0, fn);
      },
    };
  }

  pause(owner: number): void {
    if (!this.#held.has(owner)) this.#held.set(owner, []);
  }

  isPaused(owner: number): boolean {
    return this.#held.has(owner);
  }

  /** Runs what was due meanwhile, in its order; an earlier one can still cancel a later one. */
  resume(owner: number): void {
    const held = this.#held.get(owner) ?? [];
    this.#held.delete(owner);
    for (const event of held) {
      event.dueUs = this.#nowUs;
      event.id = ++this.#created;
      event.cause = this.currentId();
      this.#push(event);
    }
  }

  /** Runs the next event; false when there is none. */
  step(): boolean {
    const event = this.#next();
    if (event === undefined) return false;
    this.#pop();
    invariant(event.dueUs >= this.#nowUs, "virtual time runs backwards");
    this.#nowUs = event.dueUs;
    const held = this.#held.get(event.owner);
    if (held !== undefined) {
      held.push(event);
      return true;
    }
    this.steps++;
    this.#current = event;
    const { fn } = event;
    event.fn = undefined;
    fn?.();
    this.onStep(event.owner);
    this.#current = undefined;
    return true;
  }

  /**
   * Runs events until `holds`, for at most `limitMs` of virtual time; returns whether it became
   * true.
   */
  runUntil(holds: () => boolean, limitMs: number): boolean {
    const endUs = this.#nowUs + Math.round(limitMs * 1000);
    while (!holds()) {
      const next = this.#next();
      if (next === undefined || next.dueUs > endUs) {
        this.#nowUs = endUs;
        return false;
      }
      this.step();
    }
    return true;
  }

  run(durationMs: number): void {
    this.runUntil(() => false, durationMs);
  }

  /** The next event that will run; drops cancelled ones before it. */
  #next(): Event | undefined {
    const heap = this.#heap;
    while (heap.length > 0 && heap[0]?.fn === undefined) this.#pop();
    return heap[0];
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
  return a.dueUs < b.dueUs || (a.dueUs === b.dueUs && a.id < b.id);
}
