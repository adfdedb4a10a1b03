/** Collects what clients and watches saw, with times of one clock, as a history to judge. */
import type { Clock } from "../platform/clock.js";
import type { History, Mark, Operation, Watch, WatchResponse } from "../verify/history/types.js";
import { abbreviated } from "./abbreviate.js";

/** A watch whose stream is still open: its answers are added as they come. */
export interface OpenWatch extends Watch {
  readonly responses: WatchResponse[];
}

export class Recorder {
  readonly #clock: Clock;
  readonly #startMs: number;
  readonly #operations: Operation[] = [];
  readonly #watches: OpenWatch[] = [];
  readonly #marks: Mark[] = [];
  #lastUs = 0;
  #ids = 0;
  #acknowledged = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startMs = clock.now();
  }

  /**
   * Microseconds since the beginning of the run. Each call gives a later time than the one before.
   */
  nowUs(): number {
    const us = Math.floor((this.#clock.now() - this.#startMs) * 1_000);
    this.#lastUs = Math.max(this.#lastUs + 1, us);
    return this.#lastUs;
  }

  nextId(): number {
    return ++this.#ids;
  }

  operation(recorded: Operation): void {
    const operation = abbreviated(recorded);
    this.#operations.push(operation);
    if (operation.outcome.kind === "ok") this.#acknowledged++;
  }

  /** How many operations there were, and how many of them got an answer that is no error. */
  counts(): { readonly operations: number; readonly acknowledged: number } {
    return { operations: this.#operations.length, acknowledged: this.#acknowledged };
  }

  watch(watch: Omit<Watch, "id" | "responses">): OpenWatch {
    const open = { ...watch, id: this.#watches.length + 1, responses: [] };
    this.#watches.push(open);
    return open;
  }

  mark(kind: Mark["kind"], text: string, member?: string): void {
    const mark = { atUs: this.nowUs(), kind, text };
    this.#marks.push(member === undefined ? mark : { ...mark, member });
  }

  /** The history so far, operations in the order of their calls. */
  history(): History {
    const operations = this.#operations.toSorted((a, b) => a.callUs - b.callUs);
    return { operations, watches: this.#watches, marks: this.#marks };
  }
}
