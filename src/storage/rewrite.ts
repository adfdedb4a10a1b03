/**
 * Rewrites a backend densely while the machine goes on: copies the durable rows, then gives the copy
 * the writes that the machine has made meanwhile, in slices, until a commit of the copy holds all
 * but a few. The rest follows in one turn, in which the caller puts the copy into use.
 */
import { InvariantViolation } from "../base/invariant.js";
import type { Backend, BackendStore } from "../platform/backend.js";
import type { Clock } from "../platform/clock.js";
import type { WriteRecord } from "../state/movable-backend.js";

/** Milliseconds of one slice, and how many writes come between two looks at the clock. */
const sliceMs = 3;
const writesPerLook = 64;
/** How many writes may be left for the last turn. */
const lastWritesMax = 256;
/** After this many rounds a copy that still lags behind the writes takes what is left at once. */
const roundsMax = 50;

export interface RewriteParts {
  readonly clock: Clock;
  readonly backends: BackendStore;
  readonly source: Backend;
  /** The name of the copy. */
  readonly into: string;
  /** The machine's writes since before the last commit of `source` began. */
  readonly record: WriteRecord;
  /** Returns false if the copy is not wanted any more. */
  isWanted(): boolean;
  /** Called when a commit of the copy begins: it holds everything that is applied now. */
  committing(): void;
}

/**
 * The complete copy. Or an error: nothing of the copy is left open then. Or undefined: nobody wants
 * the copy any more.
 */
export type Rewritten = Backend | Error | undefined;

/** Makes the copy. Calls `done` once, later, in the turn in which the copy holds everything. */
export function rewrite(parts: RewriteParts, done: (result: Rewritten) => void): void {
  const { source, into, backends } = parts;
  source.copyTo(into, (error) => {
    if (!parts.isWanted()) {
      done(undefined);
      return;
    }
    if (error !== undefined) {
      done(error);
      return;
    }
    let copy: Backend;
    try {
      copy = backends.open(into);
    } catch (cause) {
      if (cause instanceof InvariantViolation) throw cause;
      done(cause as Error);
      return;
    }
    new CatchUp(parts, copy, done).round();
  });
}

class CatchUp {
  readonly #parts: RewriteParts;
  readonly #copy: Backend;
  readonly #done: (result: Rewritten) => void;
  #rounds = 0;

  constructor(parts: RewriteParts, copy: Backend, done: (result: Rewritten) => void) {
    this.#parts = parts;
    this.#copy = copy;
    this.#done = done;
  }

  /** Gives the copy all that was written so far, then makes it durable. */
  round(): void {
    const { clock, record, committing } = this.#parts;
    if (!this.#parts.isWanted()) {
      this.#end(undefined);
      return;
    }
    const untilMs = clock.now() + sliceMs;
    while (record.length > 0) {
      this.#write(writesPerLook);
      if (clock.now() < untilMs || record.length === 0) continue;
      clock.defer(() => this.round());
      return;
    }
    this.#rounds++;
    committing();
    this.#copy.commit((error) => {
      if (error !== undefined) this.#end(error);
      else if (!this.#parts.isWanted()) this.#end(undefined);
      else if (record.length > lastWritesMax && this.#rounds < roundsMax) this.round();
      else this.#finish();
    });
  }

  #finish(): void {
    this.#write(Number.POSITIVE_INFINITY);
    this.#done(this.#copy);
  }

  #write(max: number): void {
    const { record } = this.#parts;
    for (let count = 0; count < max; count++) {
      const write = record.take();
      if (write === undefined) return;
      this.#copy.write(write.rows, write.run);
    }
  }

  #end(result: Error | undefined): void {
    this.#copy.close(() => this.#done(result));
  }
}
