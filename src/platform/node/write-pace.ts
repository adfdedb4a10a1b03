/**
 * Decides whether a durable write may hold the event loop instead of going through the thread pool.
 * The way through the pool changes threads twice, which takes longer than the write itself on a
 * quick disk. The pool is better if the loop has other work meanwhile, or if the disk may be slow.
 */

/**
 * Bytes up to which a write may hold the loop. A larger one belongs to many requests, so there is
 * other work.
 */
const bytesMax = 1_024;
/**
 * Milliseconds up to which a durable write counts as quick. A write through the pool may be slow
 * because a thread waited for a processor, so one quick write among the last few is enough.
 */
const quickMs = 1;
const fewWrites = 8;
/** No write shall hold the loop for more milliseconds than this. */
const heldMsMax = 5;
/**
 * After a write that did hold it longer, this many writes go through the pool; after the next such
 * write, twice as many.
 */
const avoidedMin = 4;
const avoidedMax = 512;
/**
 * After this many writes in a row that held the loop no longer than allowed, the number is small
 * again.
 */
const inTimeMin = 32;

/** A loop that is busy for a larger share of the time has other work. */
const busyShareMax = 0.8;

export interface LoopTimes {
  /** Milliseconds of a monotonic clock. */
  now(): number;
  /** Milliseconds for which the event loop has waited for events since it began. */
  idleMs(): number;
}

export class WritePace {
  readonly #times: LoopTimes;
  /** Writes since the last quick one. */
  #sinceQuick = fewWrites;
  #inTime = 0;
  #avoided = avoidedMin;
  /** How many of the next writes go through the pool. */
  #avoidedLeft = 0;
  /** When it was asked last, and for how long the loop had waited for events by then. */
  #askedMs: number;
  #idleMs: number;
  /** For how many milliseconds writes have held the loop since. */
  #heldMs = 0;

  constructor(times: LoopTimes) {
    this.#times = times;
    this.#askedMs = times.now();
    this.#idleMs = times.idleMs();
  }

  /** Call before each write. True: the write may hold the loop. */
  mayHoldLoop(bytes: number): boolean {
    const nowMs = this.#times.now();
    const idleMs = this.#times.idleMs();
    const pastMs = nowMs - this.#askedMs;
    const busyMs = pastMs - (idleMs - this.#idleMs) - this.#heldMs;
    this.#askedMs = nowMs;
    this.#idleMs = idleMs;
    this.#heldMs = 0;
    return bytes <= bytesMax && this.isQuick() && busyMs <= pastMs * busyShareMax;
  }

  /** True while the disk is quick. */
  isQuick(): boolean {
    return this.#avoidedLeft === 0 && this.#sinceQuick < fewWrites;
  }

  /**
   * Call after each write, with the time from its begin to the moment when it was known to be
   * durable.
   */
  took(ms: number, hasHeldLoop: boolean): void {
    const isQuick = ms <= quickMs;
    this.#sinceQuick = isQuick ? 0 : this.#sinceQuick + 1;
    if (!hasHeldLoop) {
      if (this.#avoidedLeft > 0) this.#avoidedLeft--;
      return;
    }
    this.#heldMs += ms;
    this.#inTime++;
    if (ms > heldMsMax) {
      this.#inTime = 0;
      this.#avoidedLeft = this.#avoided;
      this.#avoided = Math.min(2 * this.#avoided, avoidedMax);
    } else if (this.#inTime >= inTimeMin) this.#avoided = avoidedMin;
  }
}
