/**
 * Runs deferred functions after the current callback has returned, or in the next turn. Each runs
 * once, however often it was asked for.
 */
import type { EventClock } from "../platform/clock.js";

/** Something with output that is sent once a turn. */
export interface Flushable {
  flush(): void;
}

export class TurnEnd {
  readonly #soon: Batch;
  readonly #later: Batch;

  constructor(clock: EventClock) {
    this.#soon = new Batch((run) => clock.soon(run));
    this.#later = new Batch((run) => clock.defer(run));
  }

  /** For output: it leaves in this turn. The caller asks only once until it was flushed. */
  ask(flushable: Flushable): void {
    this.#soon.add(flushable);
  }

  /** For work that goes on: other events have their turn before. */
  askLater(flushable: Flushable): void {
    this.#later.add(flushable);
  }
}

class Batch {
  readonly #schedule: (run: () => void) => void;
  #waiting: Flushable[] = [];

  constructor(schedule: (run: () => void) => void) {
    this.#schedule = schedule;
  }

  add(flushable: Flushable): void {
    if (this.#waiting.length === 0) this.#schedule(this.#flush);
    this.#waiting.push(flushable);
  }

  readonly #flush = (): void => {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const flushable of waiting) flushable.flush();
  };
}
