/**
 * Calls of a connection that are complete and not started. They start when all that came with them
 * was read, so that a call that was canceled at once never starts; they wait while the client leaves
 * its answers unread; and they do not hold the event loop for longer than a few milliseconds.
 */

export interface Startable {
  start(): void;
}

const sliceMs = 4;
const startsPerLook = 16;

export class CallQueue {
  readonly #calls = new Set<Startable>();
  readonly #now: () => number;
  readonly #hasRoom: () => boolean;

  /** @param hasRoom whether the client has read enough of its answers to be given more */
  constructor(now: () => number, hasRoom: () => boolean) {
    this.#now = now;
    this.#hasRoom = hasRoom;
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

  /** False: its time is over, and there is more to start. */
  run(): boolean {
    if (this.#calls.size === 0) return true;
    let startMs = -1;
    let started = 0;
    for (const call of this.#calls) {
      if (!this.#hasRoom()) return true;
      this.#calls.delete(call);
      call.start();
      if (++started % startsPerLook !== 0) continue;
      const nowMs = this.#now();
      if (startMs < 0) startMs = nowMs;
      else if (nowMs - startMs >= sliceMs && this.#calls.size > 0) return false;
    }
    return true;
  }
}
