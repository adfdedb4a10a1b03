/**
 * Answers other members with this member's fingerprint at an index: at once, or when that index is
 * applied.
 */
import type { Done } from "../base/done.js";
import { KvError } from "../base/errors.js";
import { encodeFingerprint } from "../state/fingerprint.js";
import type { FingerprintRing } from "./fingerprint-ring.js";

export class Evidence {
  readonly #ring: Pick<FingerprintRing, "at" | "last">;
  readonly #refusal: () => KvError | undefined;
  #waiting: { readonly index: number; readonly done: Done<Uint8Array> }[] = [];

  /** `refusal`: why this member gives no fingerprint now. */
  constructor(ring: Pick<FingerprintRing, "at" | "last">, refusal: () => KvError | undefined) {
    this.#ring = ring;
    this.#refusal = refusal;
  }

  /** The encoded fingerprint at that log index. "compacted": the ring no longer holds it. */
  answer(index: number, done: Done<Uint8Array>): void {
    const refusal = this.#refusal();
    if (refusal !== undefined) {
      done(refusal);
      return;
    }
    if (index > this.#ring.last) {
      this.#waiting.push({ index, done });
      return;
    }
    const fingerprint = this.#ring.at(index);
    done(fingerprint === undefined ? new KvError("compacted") : encodeFingerprint(fingerprint));
  }

  /** Call when the ring has a newer fingerprint: answers the questions that waited for it. */
  recorded(): void {
    if (this.#waiting.length === 0) return;
    const ready = this.#waiting.filter(({ index }) => index <= this.#ring.last);
    this.#waiting = this.#waiting.filter(({ index }) => index > this.#ring.last);
    for (const { index, done } of ready) this.answer(index, done);
  }

  /** Drops the questions that wait; they get no answer. */
  refuse(error: KvError): void {
    for (const { done } of this.#waiting.splice(0)) done(error);
  }
}
