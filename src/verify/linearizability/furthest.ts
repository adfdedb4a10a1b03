/**
 * The configuration of a search that came furthest in time: its order, and the states at that
 * point. The report shows it for a history that is not linearizable.
 */
import { headNode } from "./timeline.js";
import type { Trail } from "./trail.js";

/** There may have been more possible states. */
export const statesShownMax = 8;

export class Furthest {
  node = headNode;
  states: number[] = [];
  readonly #moves: Int32Array;
  #length = 0;
  #completed = 0;
  /** The length of the part of `#moves` that equals the trail; saves copying. */
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
