/**
 * Holds the calls of a connection that are complete and not started. A call starts when everything
 * that came with it was read, so a call that its client cancels at once never starts. Calls wait
 * while the client leaves its answers unread, and while the running ones may produce more answers
 * than it may leave unread. The queue estimates the size of answers from the last ones. Starting
 * calls never holds the event loop for more than a few milliseconds.
 */

export interface Startable {
  /** Ends in `ended`, now or later. */
  start(): void;
}

export interface QueueRules {
  readonly now: () => number;
  /** Octets of answers that the client has not read. */
  readonly waitingBytes: () => number;
  /** Octets of unread answers at which calls wait. */
  readonly waitingBytesHigh: () => number;
}

const sliceMs = 4;
const startsPerLook = 16;
/** So many may always run. */
const runningMin = 16;
/** The estimate before the first answers of a connection. */
const answerBytesFirst = 1_048_576;
/** How fast a large answer is forgotten. */
const memory = 1 / 8;

export class CallQueue {
  readonly #rules: QueueRules;
  readonly #calls = new Set<Startable>();
  #running = 0;
  /** The estimated octets of the answer to a running call. */
  #answerBytes = answerBytesFirst;

  constructor(rules: QueueRules) {
    this.#rules = rules;
  }

  add(call: Startable): void {
    this.#calls.add(call);
  }

  remove(call: Startable): void {
    this.#calls.delete(call);
  }

  clear(): void {
    this.#calls.clear();
  }

  /** A call that was started has ended. */
  ended(): void {
    if (this.#running > 0) this.#running--;
  }

  /** The call ended with an answer of this many octets. */
  answered(bytes: number): void {
    const less = (this.#answerBytes - bytes) * memory;
    this.#answerBytes = less > 0 ? this.#answerBytes - less : bytes;
  }

  /**
   * Calls may hang, for example because the cluster has no leader. They must not keep others
   * waiting.
   */
  forgetRunning(): void {
    this.#running = 0;
  }

  /** False: the time is used up, and more calls wait to start. */
  run(): boolean {
    if (this.#calls.size === 0) return true;
    let startMs = -1;
    let started = 0;
    for (const call of this.#calls) {
      if (!this.#hasRoom()) return true;
      this.#calls.delete(call);
      this.#running++;
      call.start();
      if (++started % startsPerLook !== 0) continue;
      const nowMs = this.#rules.now();
      if (startMs < 0) startMs = nowMs;
      else if (nowMs - startMs >= sliceMs && this.#calls.size > 0) return false;
    }
    return true;
  }

  #hasRoom(): boolean {
    const room = this.#rules.waitingBytesHigh() - this.#rules.waitingBytes();
    return room > 0 && (this.#running < runningMin || this.#running * this.#answerBytes < room);
  }
}
