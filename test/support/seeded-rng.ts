/**
 * Seeded pseudo-random numbers for tests (xorshift32 over a mixed seed): the same seed gives the
 * same draws on every machine. Not for keys or tokens.
 */
import { randomInt } from "node:crypto";

export class SeededRng {
  #state: number;

  constructor(seed: number) {
    // Neighbouring seeds must not give neighbouring streams: multiply and fold once.
    const mixed = Math.imul(seed ^ (seed >>> 15), 0x2c1b3c6d) ^ 0x5bd1e995;
    this.#state = mixed | 1;
    for (let i = 0; i < 8; i++) this.#next();
  }
  #next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return x >>> 0;
  }
  /** Uniform in [0, below). */
  int(below: number): number {
    return this.#next() % below;
  }
  /** True in `percent` of a hundred draws. */
  chance(percent: number): boolean {
    return this.int(100) < percent;
  }
  pick<T>(items: readonly T[]): T {
    return items[this.int(items.length)] as T;
  }
}

/** LOCKSTEP_SEED, or a new one that the caller prints. */
export function runSeed(): number {
  const given = process.env.LOCKSTEP_SEED;
  return given === undefined ? randomInt(1, 2 ** 31) : Number(given);
}
