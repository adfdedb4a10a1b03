/** Reads that wait until it is known whether our state is right. */
import type { Done } from "../base/done.js";
import { KvError } from "../base/errors.js";

export class WaitingReads {
  #reads: { readonly sinceMs: number; readonly done: Done<void> }[] = [];

  /** `done` is called once, by one of the calls below. */
  add(sinceMs: number, done: Done<void>): void {
    this.#reads.push({ sinceMs, done });
  }

  /** All of them; undefined: they may be answered. */
  end(refusal: KvError | undefined): void {
    for (const { done } of this.#reads.splice(0)) done(refusal);
  }

  /** Those that began to wait at that time or before it fail. */
  endLate(lateMs: number): void {
    const late = this.#reads.filter(({ sinceMs }) => sinceMs <= lateMs);
    if (late.length === 0) return;
    this.#reads = this.#reads.filter(({ sinceMs }) => sinceMs > lateMs);
    for (const { done } of late) done(new KvError("timeout"));
  }
}
