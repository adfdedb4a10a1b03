/**
 * Keeps the fingerprints of the last 4,096 applied indexes, so that this member can compare what
 * another member says about one of them. 36 bytes for each index: 144 KiB in all.
 */

import { invariant } from "../base/invariant.js";
import { digestVersion } from "../state/digest.js";
import type { Fingerprint } from "../state/fingerprint.js";
import { fingerprintBytes } from "../state/fingerprint.js";

/** The number of indexes that the ring holds. */
export const ringSize = 4_096;

export class FingerprintRing {
  readonly #revisions = new Float64Array(ringSize);
  readonly #compactRevisions = new Float64Array(ringSize);
  readonly #chains = new Uint32Array(ringSize);
  readonly #rows = new Uint8Array(ringSize * fingerprintBytes);
  /** Holds the indexes first <= index <= last. last 0: it holds none. */
  #first = 0;
  #last = 0;

  get last(): number {
    return this.#last;
  }

  /**
   * Adds the fingerprint of the next index. An index that does not follow the last one empties the
   * ring first.
   */
  record(fingerprint: Fingerprint): void {
    const { index } = fingerprint;
    invariant(index > 0, "a fingerprint has the index of an entry", () => ({ index }));
    if (index !== this.#last + 1) this.#first = index;
    this.#last = index;
    this.#first = Math.max(this.#first, index - ringSize + 1);
    const place = index % ringSize;
    this.#revisions[place] = fingerprint.revision;
    this.#compactRevisions[place] = fingerprint.compactRevision;
    this.#chains[place] = fingerprint.logChain;
    this.#rows.set(fingerprint.rows, place * fingerprintBytes);
  }

  /** The fingerprint at `index`. Undefined: the ring does not hold it, or no longer. */
  at(index: number): Fingerprint | undefined {
    if (this.#last === 0 || index < this.#first || index > this.#last) return undefined;
    const place = index % ringSize;
    const from = place * fingerprintBytes;
    return {
      version: digestVersion,
      index,
      revision: this.#revisions[place] as number,
      compactRevision: this.#compactRevisions[place] as number,
      logChain: this.#chains[place] as number,
      rows: this.#rows.slice(from, from + fingerprintBytes),
    };
  }

  clear(): void {
    this.#first = 0;
    this.#last = 0;
  }
}
