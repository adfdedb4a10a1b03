/**
 * How a member ends: asked to (it hands leadership over first), by its own failure, or because the
 * cluster removed it. It ends once: everybody who waits is told, what is applied becomes durable if it
 * can be trusted, and then the files are closed.
 */
import { StartError } from "../base/errors.js";
import type { Clock } from "../platform/clock.js";
import type { Platform } from "../platform/platform.js";

/** How long a stopping leader waits for its successor. */
const handOverMs = 1_000;
const handOverPollMs = 10;

export type StopCause = { readonly removed: boolean; readonly error: Error | undefined };

export interface LifecycleParts {
  readonly clock: Clock;
  readonly log: Platform["log"];
  /** Whom to hand leadership to; undefined: we do not lead, or nobody can take over. */
  successor(): bigint | undefined;
  transferLeader(to: bigint): void;
  isLeader(): boolean;
  /** Lets go of timers, connections and all who wait. Called once, before anything is closed. */
  release(): void;
  /** Makes what is applied durable. */
  flush(done: () => void): void;
  /** Closes the state, the log and the disk; nothing is committed any more. */
  close(done: () => void): void;
}

export class Lifecycle {
  readonly #parts: LifecycleParts;
  readonly #onStopped: ((cause: StopCause) => void)[] = [];
  #cause: StopCause | undefined;
  #isStopping = false;
  /** While the last flush runs: what is done after it. */
  #close: (() => void) | undefined;

  constructor(parts: LifecycleParts) {
    this.#parts = parts;
  }

  /** Asked to stop, or stopped: no request of a client is taken any more. */
  isStopping(): boolean {
    return this.#isStopping;
  }

  isStopped(): boolean {
    return this.#cause !== undefined;
  }

  /** Calls `fn` once, when the files are closed; at once if the member has stopped already. */
  onStopped(fn: (cause: StopCause) => void): void {
    if (this.#cause !== undefined) fn(this.#cause);
    else this.#onStopped.push(fn);
  }

  /** Hands leadership over, then ends. `done` is called once everything is closed. */
  stop(done: () => void): void {
    const isFirst = !this.#isStopping;
    this.#isStopping = true;
    this.onStopped(() => done());
    if (!isFirst) return;
    const successor = this.#parts.successor();
    const halt = (): void => this.#halt({ removed: false, error: undefined });
    if (successor === undefined) halt();
    else this.handOver(successor, halt);
  }

  /** Calls `done` when we lead no more, or after `handOverMs`. */
  handOver(to: bigint, done: () => void): void {
    const { clock } = this.#parts;
    const untilMs = clock.now() + handOverMs;
    this.#parts.transferLeader(to);
    const look = (): void => {
      const isOver = !this.#parts.isLeader() || clock.now() >= untilMs;
      if (isOver || this.isStopped()) done();
      else clock.after(handOverPollMs, look);
    };
    look();
  }

  /** The member ends because of `error`: a failed disk, or a broken invariant. */
  fail(error: Error): void {
    if (this.#close !== undefined) {
      // The last flush of a member that stops failed: nothing more becomes durable.
      this.#cause = { removed: false, error };
      this.#close();
    } else this.#halt({ removed: false, error });
  }

  /** The cluster removed this member. */
  removed(): void {
    this.#parts.log("warn", "the member has been permanently removed from the cluster", {});
    this.#halt({ removed: true, error: undefined });
  }

  #halt(cause: StopCause): void {
    if (this.#cause !== undefined) return;
    this.#cause = cause;
    this.#isStopping = true;
    this.#parts.release();
    this.#close = () => {
      this.#close = undefined;
      this.#parts.close(() => {
        for (const fn of this.#onStopped.splice(0)) fn(this.#cause ?? cause);
      });
    };
    if (cause.error !== undefined) {
      this.#parts.log("error", "the member stops", { error: cause.error.message });
    }
    // After an error the state in memory cannot be trusted; the log holds all that is needed. A version
    // that we do not serve was reached by right entries: the next build must find it.
    const isTrusted = cause.error === undefined || cause.error instanceof StartError;
    if (isTrusted) this.#parts.flush(() => this.#close?.());
    else this.#close();
  }
}
