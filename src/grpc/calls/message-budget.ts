/**
 * Bounds what the unfinished messages of one connection hold. A message that fits a stream's first
 * window needs no leave. A larger one needs leave before the client may send its rest, and waits
 * until others are complete. A message with leave can always be completed, so every wait ends.
 */
import type { SharedBudget } from "./shared-budget.js";

export interface LargeMessage {
  readonly bytes: number;
  /** It has leave now. */
  onLeave(): void;
}

export class MessageBudget {
  readonly #unfinishedMax: number;
  readonly #largeMax: number;
  readonly #shared: SharedBudget;
  readonly #waiting: LargeMessage[] = [];
  #unfinished = 0;
  #large = 0;

  constructor(
    limits: { readonly unfinishedBytesMax: number; readonly largeMessageBytesMax: number },
    shared: SharedBudget,
  ) {
    this.#shared = shared;
    this.#unfinishedMax = limits.unfinishedBytesMax;
    this.#largeMax = limits.largeMessageBytesMax;
  }

  /** Adds octets (negative: removes them) of messages without leave. False: they are too many. */
  hold(bytes: number): boolean {
    this.#unfinished += bytes;
    this.#shared.addUnfinished(bytes);
    const { hasTooMuchUnfinished, fairBytes } = this.#shared;
    return this.#unfinished <= (hasTooMuchUnfinished ? fairBytes : this.#unfinishedMax);
  }

  /** Calls `onLeave`, now or later. */
  ask(message: LargeMessage): void {
    this.#waiting.push(message);
    this.#giveLeave();
  }

  /** The message was completed or given up. */
  release(message: LargeMessage, hasLeave: boolean): void {
    if (hasLeave) {
      this.#large -= message.bytes;
      this.#shared.addUnfinished(-message.bytes);
      this.#giveLeave();
      return;
    }
    const at = this.#waiting.indexOf(message);
    if (at >= 0) this.#waiting.splice(at, 1);
  }

  /** Messages wait in the order of asking. One that is larger than the whole budget goes alone. */
  #giveLeave(): void {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      const max = this.#shared.hasTooMuchUnfinished ? 0 : this.#largeMax;
      if (this.#large > 0 && this.#large + first.bytes > max) return;
      this.#waiting.shift();
      this.#large += first.bytes;
      this.#shared.addUnfinished(first.bytes);
      first.onLeave();
    }
  }
}
