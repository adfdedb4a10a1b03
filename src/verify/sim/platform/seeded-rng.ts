/**
 * A small seeded generator (sfc32 by Chris Doty-Humphrey, from PractRand): the same seed gives the
 * same sequence everywhere. A fork depends on the seed and its label alone, not on how much was
 * drawn before, so that one component's draws do not shift another's.
 */
import { invariant } from "../../../base/invariant.js";
import type { Rng } from "../../../platform/rng.js";

export function createSeededRng(seed: number): Rng {
  return new SeededRng([seed >>> 0, Math.floor(seed / 0x1_0000_0000) >>> 0]);
}

class SeededRng implements Rng {
  readonly #seed: readonly [number, number];
  #a: number;
  #b: number;
  #c = 0x9e3779b9;
  #counter = 1;

  constructor(seed: readonly [number, number]) {
    this.#seed = seed;
    this.#a = seed[0];
    this.#b = seed[1];
    // The state needs some rounds to forget how similar two seeds are.
    for (let round = 0; round < 15; round++) this.#next();
  }

  int(below: number): number {
    // The bias of this scaling is below 2^-20 for anything drawn here.
    return Math.floor((this.#next() / 0x1_0000_0000) * below);
  }

  fork(label: string): Rng {
    invariant(label !== "", "a fork without a label repeats its parent");
    let [high, low] = this.#seed;
    for (const char of label) {
      const code = char.codePointAt(0) ?? 0;
      high = Math.imul(high ^ code, 0x01000193) >>> 0;
      low = Math.imul(low ^ (code << 7) ^ high, 0x85ebca6b) >>> 0;
    }
    return new SeededRng([high, low]);
  }

  #next(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }
}
