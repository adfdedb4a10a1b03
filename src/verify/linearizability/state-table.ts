/**
 * Numbers for states: equal states get the same number, so that the search compares and hashes
 * integers. The table never forgets a state; `bytes` is its size.
 */
import type { Model } from "./model.js";

const stateBytesDefault = 32;
/** Bytes of a state in the table: a slot, a hash and a reference. */
const rowBytes = 24;

export class StateTable<State> {
  readonly states: State[] = [];
  bytes = 0;
  readonly #model: Model<State, never, never>;
  #hashes = new Int32Array(16);
  /** State number + 1, or 0: empty. The length is a power of two, and at most half is used. */
  #slots = new Int32Array(32);

  constructor(model: Model<State, never, never>) {
    this.#model = model;
  }

  numberOf(state: State): number {
    const { states } = this;
    const hash = this.#model.hash(state) | 0;
    const mask = this.#slots.length - 1;
    let slot = spread(hash) & mask;
    for (;;) {
      const number = (this.#slots[slot] as number) - 1;
      if (number < 0) return this.#add(state, hash);
      if (this.#hashes[number] === hash && this.#model.equals(states[number] as State, state)) {
        return number;
      }
      slot = (slot + 1) & mask;
    }
  }

  #add(state: State, hash: number): number {
    const number = this.states.length;
    if (number === this.#hashes.length) this.#grow();
    this.states.push(state);
    this.#hashes[number] = hash;
    this.#place(number);
    this.bytes += rowBytes + (this.#model.stateBytes?.(state) ?? stateBytesDefault);
    return number;
  }

  #grow(): void {
    const hashes = new Int32Array(this.#hashes.length * 2);
    hashes.set(this.#hashes);
    this.#hashes = hashes;
    this.#slots = new Int32Array(hashes.length * 2);
    for (let number = 0; number < this.states.length; number++) this.#place(number);
  }

  #place(number: number): void {
    const mask = this.#slots.length - 1;
    let slot = spread(this.#hashes[number] as number) & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = number + 1;
  }
}

/** A model may hash badly (a small integer as it is); the low bits choose the slot. */
function spread(hash: number): number {
  const mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return mixed ^ (mixed >>> 13);
}
