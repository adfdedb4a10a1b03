/**
 * The window of append messages sent to one follower and not yet acknowledged, oldest first. It
 * bounds both their number and their bytes. The byte bound is soft: the message that crosses it is
 * still accepted, so that a message larger than the bound can be sent at all.
 */
import { invariant } from "../../base/invariant.js";

export interface InflightLimits {
  readonly messagesMax: number;
  readonly bytesMax: number;
}

export class Inflights {
  readonly #limits: InflightLimits;
  /**
   * Two parallel queues: the last entry index, and the bytes, of each message. The valid part
   * begins at #head.
   */
  #indexes: number[] = [];
  #sizes: number[] = [];
  #head = 0;
  #bytes = 0;

  constructor(limits: InflightLimits) {
    this.#limits = limits;
  }

  count(): number {
    return this.#indexes.length - this.#head;
  }

  isFull(): boolean {
    return this.count() >= this.#limits.messagesMax || this.#bytes >= this.#limits.bytesMax;
  }

  /** @param lastIndex of the message's entries; grows from call to call */
  add(lastIndex: number, bytes: number): void {
    invariant(!this.isFull(), "an append was sent into a full window", () => ({ lastIndex }));
    this.#indexes.push(lastIndex);
    this.#sizes.push(bytes);
    this.#bytes += bytes;
  }

  /** Frees every message whose entries are all at or below `index`. */
  freeThrough(index: number): void {
    const end = this.#indexes.length;
    while (this.#head < end && (this.#indexes[this.#head] as number) <= index) {
      this.#bytes -= this.#sizes[this.#head] as number;
      this.#head++;
    }
    if (this.#head === end) this.reset();
    else if (this.#head > 64 && this.#head * 2 > end) this.#compact();
  }

  reset(): void {
    this.#indexes = [];
    this.#sizes = [];
    this.#head = 0;
    this.#bytes = 0;
  }

  #compact(): void {
    this.#indexes = this.#indexes.slice(this.#head);
    this.#sizes = this.#sizes.slice(this.#head);
    this.#head = 0;
  }
}
