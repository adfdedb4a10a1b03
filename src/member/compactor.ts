/**
 * Drives the physical part of a compaction. While the machine has rows to remove, the leader
 * proposes one bounded step after the other. The steps are log entries, so every member removes the
 * same rows at the same index, and a new leader simply goes on.
 */
import type { Clock } from "../platform/clock.js";
import type { KvReader } from "../state/types.js";
import { CompactStepRequest } from "../wire/gen/internal.js";

export interface CompactorParts {
  readonly clock: Clock;
  kv(): KvReader;
  isLeader(): boolean;
  propose(step: Uint8Array, done: () => void): void;
  readonly rowsMax: number;
  readonly sleepMs: number;
}

export class Compactor {
  readonly #parts: CompactorParts;
  #isStepping = false;
  #isStopped = false;
  /** Callers that wait until the rows up to `revision` are gone. */
  #waiting: { readonly revision: number; readonly done: () => void }[] = [];

  constructor(parts: CompactorParts) {
    this.#parts = parts;
  }

  /** Call when entries were applied or the leader changed. Goes on if there is work. */
  poke(): void {
    const kv = this.#parts.kv();
    if (this.#waiting.length > 0) this.#wake(kv.finishedCompactRevision());
    const isDone = kv.finishedCompactRevision() >= kv.compactRevision();
    if (isDone || this.#isStepping || this.#isStopped || !this.#parts.isLeader()) return;
    this.#isStepping = true;
    const step = CompactStepRequest.encode({
      revision: BigInt(kv.compactRevision()),
      rows_max: this.#parts.rowsMax,
    }).finish();
    this.#parts.propose(step, () => {
      this.#parts.clock.after(this.#parts.sleepMs, () => {
        this.#isStepping = false;
        this.poke();
      });
    });
  }

  /** Calls `done` when the superseded rows up to `revision` are removed. */
  whenFinished(revision: number, done: () => void): void {
    this.#waiting.push({ revision, done });
    this.poke();
  }

  stop(): void {
    this.#isStopped = true;
    this.#waiting = [];
  }

  #wake(finished: number): void {
    const ready = this.#waiting.filter((waiter) => waiter.revision <= finished);
    if (ready.length === 0) return;
    this.#waiting = this.#waiting.filter((waiter) => waiter.revision > finished);
    for (const waiter of ready) waiter.done();
  }
}
