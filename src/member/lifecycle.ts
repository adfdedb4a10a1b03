/**
 * How a member ends: on request (after it has handed leadership over), after its own failure, or
 * because the cluster removed it. It ends once: it answers everybody who waits, makes what is
 * applied durable if it can be trusted, and then closes the files.
 */
import { StartError } from "../base/errors.js";
import type { Clock } from "../platform/clock.js";
import type { Platform } from "../platform/platform.js";

/** Milliseconds that a stopping leader waits for its successor. */
const handOverMs = 1_000;
const handOverPollMs = 10;

/** Why the member ended: the cluster removed it, an error ended it, or neither: it was asked to. */
export type StopCause = { readonly removed: boolean; readonly error: Error | undefined };

export interface LifecycleParts {
  readonly clock: Clock;
  readonly log: Platform["log"];
  /** The member to hand leadership to. Undefined: this member does not lead, or no other can. */
  successor(): bigint | undefined;
  transferLeader(to: bigint): void;
  isLeader(): boolean;
  /** Releases timers and connections, fails all waiting requests. Called once, before any close. */
  release(): void;
  /** Makes durable what is applied, then calls `done`. */
  flush(done: () => void): void;
  /** Closes the state, the log and the disk. No commit begins after it. */
  close(done: () => void): void;
}

export class Lifecycle {
  readonly #parts: LifecycleParts;
  readonly #onStopped: ((cause: StopCause) => void)[] = [];
  #cause: StopCause | undefined;
  #isStopping = false;
  /** Set while the last flush runs: closes the files after it. */
  #close: (() => void) | undefined;

  constructor(parts: LifecycleParts) {
    this.#parts = parts;
  }

  /**
   * True once the member was asked to stop or has stopped. It takes no more client requests then.
   */
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

  /** Hands leadership over, then ends. Calls `done` once everything is closed. */
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

  /** Calls `done` when this member no longer leads, or after `handOverMs`. */
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

  /** Ends the member because of `error`: a failed disk, or a broken invariant. */
  fail(error: Error): void {
    if (this.#close !== undefined) {
      // The last flush failed: close without it.
      this.#cause = { removed: false, error };
      this.#close();
    } else this.#halt({ removed: false, error });
  }

  /** Ends the member because the cluster removed it. */
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
    // After an error the state in memory cannot be trusted, and the log holds all that is needed. A
    // StartError is different: right entries led to a cluster version that this build does not
    // serve, and the next build must find that state on disk.
    const isTrusted = cause.error === undefined || cause.error instanceof StartError;
    if (isTrusted) this.#parts.flush(() => this.#close?.());
    else this.#close();
  }
}
