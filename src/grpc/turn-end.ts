/** Runs what was put off until the end of a turn: once for each that asked, however often it did. */
import type { Clock } from "../platform/clock.js";

export interface Flushable {
  flush(): void;
}

export class TurnEnd {
  readonly #clock: Clock;
  #waiting: Flushable[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The caller asks only once until it was flushed. */
  ask(flushable: Flushable): void {
    if (this.#waiting.length === 0) this.#clock.defer(() => this.#flush());
    this.#waiting.push(flushable);
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const flushable of waiting) flushable.flush();
  }
}
