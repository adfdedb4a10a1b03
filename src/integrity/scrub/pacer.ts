/**
 * Runs long work in short pieces with pauses, so that it takes no more than its share of the thread
 * and of the disk. A pause follows every piece, also the last one, so the limits also hold for
 * several jobs one after the other.
 */
import type { Clock, Timer } from "../../platform/clock.js";

/** A piece ends after this time, when its current step is done. */
const pieceMs = 2;
const pieceBytesMin = 4 * 1024;
const pieceBytesMax = 256 * 1024;

export interface PacerParts {
  readonly clock: Clock;
  readonly bytesPerSecond: number;
  /** The share of the thread: 0.05 is a twentieth. */
  readonly cpuShare: number;
  /** A piece threw. */
  failed(error: Error): void;
}

/** What one piece may still use of its limits. */
export class Budget {
  readonly #clock: Clock;
  readonly #endMs: number;
  readonly #bytesMax: number;
  bytes = 0;

  constructor(clock: Clock, limits: { readonly endMs: number; readonly bytesMax: number }) {
    this.#clock = clock;
    this.#endMs = limits.endMs;
    this.#bytesMax = limits.bytesMax;
  }

  /** Counts bytes that were read. True: the piece may read more. */
  take(bytes: number): boolean {
    this.bytes += bytes;
    return this.bytes < this.#bytesMax && this.#clock.now() < this.#endMs;
  }
}

export class Pacer {
  readonly #parts: PacerParts;
  readonly #bytesMax: number;
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(parts: PacerParts) {
    this.#parts = parts;
    const perPiece = parts.bytesPerSecond / 25;
    this.#bytesMax = Math.min(pieceBytesMax, Math.max(pieceBytesMin, perPiece));
  }

  /** Calls `piece` until it returns true, then calls `done`. Each call is in a turn of its own. */
  run(piece: (budget: Budget) => boolean, done: () => void): void {
    if (this.#isStopped) return;
    const { clock, bytesPerSecond, cpuShare, failed } = this.#parts;
    const startMs = clock.now();
    const budget = new Budget(clock, { endMs: startMs + pieceMs, bytesMax: this.#bytesMax });
    let isDone: boolean;
    try {
      isDone = piece(budget);
    } catch (error) {
      this.stop();
      failed(error as Error);
      return;
    }
    const spentMs = clock.now() - startMs;
    const pauseMs = Math.max(
      spentMs / cpuShare - spentMs,
      (budget.bytes * 1000) / bytesPerSecond - spentMs,
    );
    this.wait(pauseMs, isDone ? done : () => this.run(piece, done));
  }

  /** Waits for one thing at a time. */
  wait(delayMs: number, fn: () => void): void {
    if (this.#isStopped) return;
    this.#timer?.cancel();
    this.#timer = this.#parts.clock.after(delayMs, () => {
      this.#timer = undefined;
      fn();
    });
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }
}
