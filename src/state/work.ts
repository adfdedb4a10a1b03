/**
 * Divides the work of an entry into slices. Code that works through many rows counts them here, and
 * pauses (a `yield`) when its slice is used up. So the places where an entry pauses depend on the
 * entry, the state and the size of a slice, never on a clock. A unit is about one row, or one KiB
 * of a large one.
 */
export class Work {
  #left: number;

  /** Units of the first slice. */
  constructor(units: number) {
    this.#left = units;
  }

  /** Counts units of work. True: the slice is used up, so pause now. */
  spend(units: number): boolean {
    this.#left -= units;
    return this.#left <= 0;
  }

  /** Begins the next slice. */
  refill(units: number): void {
    this.#left = units;
  }
}

/** Runs all steps at once. */
export function runThrough<T>(steps: Generator<undefined, T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}
