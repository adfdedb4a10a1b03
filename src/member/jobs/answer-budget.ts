/**
 * Bounds the memory of large answers: those that are still gathered, and those that wait for their
 * clients to read them.
 *
 * Beyond `bytesMax` an answer grows no further until clients have read others. If only growing
 * answers hold the memory, the oldest of them goes on, so that they do not all wait for each other.
 * An answer that waits too long for memory is refused. An answer that its client does not read for
 * too long ends.
 */
import { KvError } from "../../base/errors.js";
import type { Clock, Timer } from "../../platform/clock.js";

export interface AnswerLimits {
  readonly bytesMax: number;
  /** Milliseconds that a growing answer waits for memory. */
  readonly waitMs: number;
  /** Milliseconds in which a client must take something of its answer. */
  readonly unreadMs: number;
}

/** 1 GiB of memory for all large answers of this member together. */
export const defaultAnswerLimits: AnswerLimits = {
  bytesMax: 1024 * 1024 * 1024,
  waitMs: 10_000,
  unreadMs: 60_000,
};

export interface AnswerOwner {
  /** Called when there may be room now. */
  wake(): void;
  /** Called when the answer must be given up, with the reason. Its memory counts no more. */
  end(reason: KvError): void;
}

/** The memory of one answer. */
export interface HeldAnswer {
  /** Sets the bytes of a growing answer. Returns false if it must not grow on until it is woken. */
  grow(bytes: number): boolean;
  /** Call when the answer is complete and the client begins to read. */
  complete(): void;
  /** Call when the client has taken so many bytes. */
  sent(bytes: number): void;
  /** Call when the answer is no longer in memory. A second call does nothing. */
  close(): void;
}

const lookMs = 1_000;

export class AnswerBudget {
  readonly #clock: Clock;
  readonly #limits: AnswerLimits;
  /** All answers in memory, the oldest first. */
  readonly #held = new Set<Held>();
  #bytes = 0;
  #timer: Timer | undefined;

  constructor(clock: Clock, limits: AnswerLimits = defaultAnswerLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** Bytes of all answers in memory. */
  get bytes(): number {
    return this.#bytes;
  }

  open(owner: AnswerOwner): HeldAnswer {
    const held = new Held(owner, this.#clock.now());
    this.#held.add(held);
    this.#look();
    return {
      grow: (bytes) => this.#grow(held, bytes),
      complete: () => {
        held.isComplete = true;
        held.isWaiting = false;
        held.sinceMs = this.#clock.now();
      },
      sent: (bytes) => {
        if (!this.#held.has(held)) return;
        held.sinceMs = this.#clock.now();
        this.#add(held, -bytes);
        this.#wakeWaiting();
      },
      close: () => this.#close(held),
    };
  }

  #grow(held: Held, bytes: number): boolean {
    this.#add(held, bytes - held.bytes);
    const mayGrow = this.#bytes <= this.#limits.bytesMax || this.#isOldestOfGrowing(held);
    if (held.isWaiting === mayGrow) held.sinceMs = this.#clock.now();
    held.isWaiting = !mayGrow;
    return mayGrow;
  }

  /**
   * True if all answers still grow, so that no client frees memory by reading, and this one is the
   * oldest.
   */
  #isOldestOfGrowing(held: Held): boolean {
    for (const other of this.#held) {
      if (other.isComplete) return false;
    }
    const [oldest] = this.#held;
    return oldest === held;
  }

  #add(held: Held, bytes: number): void {
    held.bytes += bytes;
    this.#bytes += bytes;
  }

  #close(held: Held): void {
    if (!this.#held.delete(held)) return;
    this.#add(held, -held.bytes);
    this.#wakeWaiting();
    if (this.#held.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Wakes the answers that wait for memory. Those that still find no room wait on. */
  #wakeWaiting(): void {
    for (const held of [...this.#held]) if (held.isWaiting) held.owner.wake();
  }

  /** Looks for late answers while there are any. */
  #look(): void {
    this.#timer ??= this.#clock.after(lookMs, () => {
      this.#timer = undefined;
      const nowMs = this.#clock.now();
      for (const held of [...this.#held]) {
        const reason = this.#lateness(held, nowMs);
        if (reason === undefined) continue;
        this.#close(held);
        held.owner.end(reason);
      }
      if (this.#held.size > 0) this.#look();
    });
  }

  #lateness(held: Held, nowMs: number): KvError | undefined {
    const forMs = nowMs - held.sinceMs;
    if (held.isWaiting && forMs >= this.#limits.waitMs) return new KvError("answersTooLarge");
    if (held.isComplete && forMs >= this.#limits.unreadMs) return new KvError("answerUnread");
    return undefined;
  }
}

class Held {
  readonly owner: AnswerOwner;
  bytes = 0;
  isComplete = false;
  isWaiting = false;
  /** When it began to wait, or when its client last took something. */
  sinceMs: number;

  constructor(owner: AnswerOwner, sinceMs: number) {
    this.owner = owner;
    this.sinceMs = sinceMs;
  }
}
