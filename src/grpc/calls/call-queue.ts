/**
 * Calls of a connection that are complete and not started. They start when all that came with them
 * was read, so that a call that was canceled at once never starts. They wait while the client leaves
 * its answers unread, and while those that run may make more of them than it may leave: how large
 * answers are is learnt from the last ones. And they do not hold the event loop for more than a few
 * milliseconds.
 */

export interface Startable {
  /** Ends in `ended`, now or later. */
  start(): void;
}

export interface QueueRules {
  readonly now: () => number;
  /** Octets of answers that the client has not read. */
  readonly waitingBytes: () => number;
  /** How many of them there may be now before calls wait. */
  readonly waitingBytesHigh: () => number;
}

const sliceMs = 4;
const startsPerLook = 16;
/** So many may always run. */
const runningMin = 16;
/** Before a connection has had its first answers. */
const answerBytesFirst = 1_048_576;
/** How fast a large answer is forgotten. */
const memory = 1 / 8;

export class CallQueue {
  readonly #rules: QueueRules;
  readonly #calls = new Set<Startable>();
  #running = 0;
  /** What the answer to a running call may need. */
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

  /** It has ended with an answer of so many octets. */
  answered(bytes: number): void {
    const less = (this.#answerBytes - bytes) * memory;
    this.#answerBytes = less > 0 ? this.#answerBytes - less : bytes;
  }

  /** Calls that hang, for the cluster has no leader perhaps, shall not keep others waiting. */
  forgetRunning(): void {
    this.#running = 0;
  }

  /** False: its time is over, and there is more to start. */
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
