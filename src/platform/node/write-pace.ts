/**
 * Says whether a durable write may hold the event loop instead of going through the thread pool. The
 * way through the pool changes threads twice, which takes longer than the write itself on a quick
 * disk. It is worth it if the loop has other work meanwhile, or if the disk may be slow.
 */

/** A larger write belongs to many requests, so there is other work. */
const bytesMax = 1_024;
/** A durable write that takes no longer is quick. */
const quickMs = 1;
/** So many quick ones in a row make a quick disk. */
const quickWritesMin = 8;

/** A loop that is busier has other work. */
const busyShareMax = 0.8;

export interface LoopTimes {
  /** Milliseconds of a monotonic clock. */
  now(): number;
  /** Milliseconds for which the event loop has waited for events since it began. */
  idleMs(): number;
}

export class WritePace {
  readonly #times: LoopTimes;
  #quickWrites = 0;
  /** When it was asked last, and how much the loop had waited by then. */
  #askedMs: number;
  #idleMs: number;
  /** For how long writes have held the loop since. */
  #heldMs = 0;

  constructor(times: LoopTimes) {
    this.#times = times;
    this.#askedMs = times.now();
    this.#idleMs = times.idleMs();
  }

  /** To be asked before each write. */
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
    return this.#quickWrites >= quickWritesMin;
  }

  /** Tells how long a write took from its begin to the moment when it was known to be durable. */
  took(ms: number, hasHeldLoop: boolean): void {
    this.#quickWrites = ms <= quickMs ? this.#quickWrites + 1 : 0;
    if (hasHeldLoop) this.#heldMs += ms;
  }
}
