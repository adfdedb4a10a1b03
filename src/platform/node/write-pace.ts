/**
 * Says whether a durable write may hold the event loop instead of going through the thread pool. The
 * way through the pool changes threads twice, which takes longer than the write itself on a quick
 * disk. The pool is right if the loop has other work meanwhile, or if the disk may be slow.
 */

/** A larger write belongs to many requests, so there is other work. */
const bytesMax = 1_024;
/**
 * A durable write that takes no longer is quick. One through the pool may be slow because a thread
 * waited for a processor, so a single quick one among the last few shows what the disk can do.
 */
const quickMs = 1;
const fewWrites = 8;
/** No write shall hold the loop for longer. */
const heldMsMax = 5;
/** After one that did so many go through the pool, after the next one twice as many. */
const avoidedMin = 4;
const avoidedMax = 512;
/** So many in a row that did not make that number small again. */
const inTimeMin = 32;

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
  /** Writes since the last quick one. */
  #sinceQuick = fewWrites;
  #inTime = 0;
  #avoided = avoidedMin;
  /** How many writes still go through the pool. */
  #avoidedLeft = 0;
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
    return this.#avoidedLeft === 0 && this.#sinceQuick < fewWrites;
  }

  /** Tells how long a write took from its begin to the moment when it was known to be durable. */
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
