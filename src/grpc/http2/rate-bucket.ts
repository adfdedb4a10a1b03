/** A budget that is spent by events and refilled by time. */
export class RateBucket {
  readonly #burst: number;
  readonly #perMs: number;
  #left: number;
  #lastMs = -1;

  constructor(burst: number, perSecond: number) {
    this.#burst = burst;
    this.#perMs = perSecond / 1_000;
    this.#left = burst;
  }

  /** False: it is spent. */
  take(nowMs: number, amount = 1): boolean {
    if (this.#lastMs < 0) this.#lastMs = nowMs;
    this.#left -= amount;
    if (this.#left >= 0) return true;
    this.#left = Math.min(this.#burst, this.#left + (nowMs - this.#lastMs) * this.#perMs);
    this.#lastMs = nowMs;
    return this.#left >= 0;
  }
}
