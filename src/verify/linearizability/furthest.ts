/**
 * The configuration of a search that came furthest in time: its order, and the states met at that
 * point. It is what a person is shown of a history that is not linearizable.
 */
import { headNode } from "./timeline.js";
import type { Trail } from "./trail.js";

/** More of them may have been possible. */
export const statesShownMax = 8;

export class Furthest {
  node = headNode;
  states: number[] = [];
  readonly #moves: Int32Array;
  #length = 0;
  #completed = 0;
  /** How much of `#moves` the trail still begins with; spares copying. */
  #shared = 0;

  constructor(movesMax: number) {
    this.#moves = new Int32Array(movesMax);
  }

  undoneTo(length: number): void {
    if (length < this.#shared) this.#shared = length;
  }

  note(trail: Trail, at: { readonly node: number; readonly state: number }): void {
    if (at.node < this.node) return;
    const isFurther = at.node > this.node;
    if (isFurther) this.states = [];
    this.node = at.node;
    if (this.states.length < statesShownMax && !this.states.includes(at.state)) {
      this.states.push(at.state);
    }
    const completed = trail.length - trail.pendingCount;
    if (!isFurther && completed <= this.#completed) return;
    this.#completed = completed;
    this.#moves.set(trail.moves.subarray(this.#shared, trail.length), this.#shared);
    this.#length = trail.length;
    this.#shared = trail.length;
  }

  order(trail: Trail): number[] {
    return Array.from(this.#moves.subarray(0, this.#length), (move) => trail.indexOf(move));
  }
}
