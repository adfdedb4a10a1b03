/** Counts observations by size, as Prometheus' histograms do. Nothing here has a clock. */

export class Histogram {
  /** Upper bounds, ascending. */
  readonly bounds: readonly number[];
  /** For each bound, how many observations lie at or below it and above the next smaller one. */
  readonly #counts: number[];
  #sum = 0;
  #count = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.#counts = new Array<number>(bounds.length).fill(0);
  }

  observe(value: number): void {
    this.#count++;
    this.#sum += value;
    const place = this.bounds.findIndex((bound) => value <= bound);
    if (place >= 0) this.#counts[place] = (this.#counts[place] as number) + 1;
  }

  get count(): number {
    return this.#count;
  }

  /** The counts. `counts[i]`: observations up to `bounds[i]`. */
  values(): {
    readonly bounds: readonly number[];
    readonly counts: readonly number[];
    readonly sum: number;
    readonly count: number;
  } {
    let below = 0;
    const counts = this.#counts.map((count) => {
      below += count;
      return below;
    });
    return { bounds: this.bounds, counts, sum: this.#sum, count: this.#count };
  }
}

/** `count` bounds: `first`, then each the double of the one before. */
export function doublingBounds(first: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, step) => first * 2 ** step);
}
