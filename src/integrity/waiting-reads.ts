/** Holds reads until it is known whether this member's state is right. */
import type { Done } from "../base/done.js";
import { KvError } from "../base/errors.js";

export class WaitingReads {
  #reads: { readonly sinceMs: number; readonly done: Done<void> }[] = [];

  /** One of the methods below calls `done`, once. */
  add(sinceMs: number, done: Done<void>): void {
    this.#reads.push({ sinceMs, done });
  }

  /** Ends all waiting reads, with this error. Undefined: they may go on. */
  end(refusal: KvError | undefined): void {
    for (const { done } of this.#reads.splice(0)) done(refusal);
  }

  /** Fails the reads that began to wait at that time or earlier. */
  endLate(lateMs: number): void {
    const late = this.#reads.filter(({ sinceMs }) => sinceMs <= lateMs);
    if (late.length === 0) return;
    this.#reads = this.#reads.filter(({ sinceMs }) => sinceMs > lateMs);
    for (const { done } of late) done(new KvError("timeout"));
  }
}
