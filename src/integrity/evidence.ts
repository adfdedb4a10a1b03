/** The fingerprints of our state that others ask for: at once, or when we have applied so much. */
import type { Done } from "../base/done.js";
import { KvError } from "../base/errors.js";
import { encodeFingerprint } from "../state/fingerprint.js";
import type { FingerprintRing } from "./fingerprint-ring.js";

export class Evidence {
  readonly #ring: FingerprintRing;
  readonly #refusal: () => KvError | undefined;
  #waiting: { readonly index: number; readonly done: Done<Uint8Array> }[] = [];

  /** `refusal`: why this member says nothing now. */
  constructor(ring: FingerprintRing, refusal: () => KvError | undefined) {
    this.#ring = ring;
    this.#refusal = refusal;
  }

  /** The encoded fingerprint at that log index; "compacted": it is held no more. */
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

  /** The ring has a newer one: answers those that waited for it. */
  recorded(): void {
    if (this.#waiting.length === 0) return;
    const ready = this.#waiting.filter(({ index }) => index <= this.#ring.last);
    this.#waiting = this.#waiting.filter(({ index }) => index > this.#ring.last);
    for (const { index, done } of ready) this.answer(index, done);
  }

  /** Those that wait get no answer. */
  refuse(error: KvError): void {
    for (const { done } of this.#waiting.splice(0)) done(error);
  }
}
