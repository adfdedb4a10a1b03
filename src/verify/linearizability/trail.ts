/**
 * The calls that the search has placed, in order, and how to take them back. Placing a completed
 * call takes its two nodes out of the list; undoing puts them back exactly where they were.
 */
import type { Timeline } from "./timeline.js";

export class Trail {
  /** Completed calls, and the complements of pending ones. */
  readonly moves: Int32Array;
  length = 0;
  /** Number of pending calls among them. */
  pendingCount = 0;
  /** Pending class -> how many of its calls are used, always the earliest ones. */
  readonly classUsed: Int32Array;
  readonly #line: Timeline;
  readonly #used: Int32Array;

  /** @param used the pending calls used, a bit each; kept up to date here */
  constructor(line: Timeline, used: Int32Array) {
    this.moves = new Int32Array(line.completed.length + line.pending.length);
    this.classUsed = new Int32Array(line.classes.length);
    this.#line = line;
    this.#used = used;
  }

  place(call: number): void {
    const { callNode, returnNode } = this.#line;
    this.#unlink(callNode[call] as number);
    this.#unlink(returnNode[call] as number);
    this.moves[this.length++] = call;
  }

  /** @param call the earliest of its class that is not used */
  use(call: number): void {
    const its = this.#line.classOf[call] as number;
    this.classUsed[its] = (this.classUsed[its] as number) + 1;
    this.#flip(call);
    this.moves[this.length++] = ~call;
    this.pendingCount++;
  }

  undoTo(length: number): void {
    const { callNode, returnNode, classOf } = this.#line;
    while (this.length > length) {
      const move = this.moves[--this.length] as number;
      if (move >= 0) {
        this.#link(returnNode[move] as number);
        this.#link(callNode[move] as number);
      } else {
        const its = classOf[~move] as number;
        this.classUsed[its] = (this.classUsed[its] as number) - 1;
        this.#flip(~move);
        this.pendingCount--;
      }
    }
  }

  /** The number by which the caller of the search knows the call. */
  indexOf(move: number): number {
    const { completed, pending } = this.#line;
    return (move >= 0 ? completed[move] : pending[~move]) as number;
  }

  order(): number[] {
    return Array.from(this.moves.subarray(0, this.length), (move) => this.indexOf(move));
  }

  #flip(pending: number): void {
    const word = pending >>> 5;
    this.#used[word] = (this.#used[word] as number) ^ (1 << (pending & 31));
  }

  #unlink(node: number): void {
    const { next, previous } = this.#line;
    const after = next[node] as number;
    const before = previous[node] as number;
    next[before] = after;
    previous[after] = before;
  }

  #link(node: number): void {
    const { next, previous } = this.#line;
    next[previous[node] as number] = node;
    previous[next[node] as number] = node;
  }
}
