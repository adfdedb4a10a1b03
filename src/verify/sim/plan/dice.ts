/**
 * Randomness by address: a draw is a hash of the seed, a path of labels and up to three numbers,
 * and has no memory. Taking one event out of a plan changes no other draw; this makes shrinking
 * possible. The mixing is MurmurHash3's (Austin Appleby, public domain).
 */
import { invariant } from "../../../base/invariant.js";
import type { Rng } from "../../../platform/rng.js";

export class Dice {
  readonly #seed: number;

  constructor(seed: number) {
    this.#seed = finish(mixed(mixed(0x9747b28c, seed), Math.floor(seed / 0x1_0000_0000)));
  }

  /** Another, independent set of draws. */
  fork(label: string | number): Dice {
    return new Dice(finish(mixed(this.#seed ^ 0x5bd1e995, labelOf(label))) >>> 0);
  }

  /** 32 uniform bits of this address. */
  u32(a = 0, b = 0, c = 0): number {
    return finish(mixed(mixed(mixed(this.#seed, a), b), c)) >>> 0;
  }

  /** Uniform in [0, below), `below` 1..2^32; the bias is below 2^-20 for anything drawn here. */
  int(below: number, a = 0, b = 0, c = 0): number {
    return Math.floor((this.u32(a, b, c) / 0x1_0000_0000) * below);
  }

  chance(perMille: number, a = 0, b = 0, c = 0): boolean {
    return perMille > 0 && this.int(1000, a, b, c) < perMille;
  }

  /** A sequence of draws from this address, for code that takes a generator. */
  sequence(): Rng {
    let drawn = 0;
    return {
      int: (below) => this.int(below, ++drawn),
      fork: (label) => {
        invariant(label !== "", "a fork without a label repeats its parent");
        return this.fork(label).sequence();
      },
    };
  }
}

function labelOf(label: string | number): number {
  if (typeof label === "number") return label;
  let hash = 0x811c9dc5;
  for (let at = 0; at < label.length; at++) {
    hash = Math.imul(hash ^ label.charCodeAt(at), 0x01000193);
  }
  return hash;
}

function mixed(hash: number, word: number): number {
  let k = Math.imul(word | 0, 0xcc9e2d51);
  k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
  const h = hash ^ k;
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
}

function finish(hash: number): number {
  let h = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
