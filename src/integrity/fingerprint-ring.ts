/**
 * The fingerprints of the last indexes that this member applied, so that what another member says
 * of one of them can be compared. 36 bytes an index: 144 KiB in all.
 */

import { digestVersion } from "../state/digest.js";
import type { Fingerprint } from "../state/fingerprint.js";
import { fingerprintBytes } from "../state/fingerprint.js";

export const ringSize = 4_096;

export class FingerprintRing {
  readonly #revisions = new Float64Array(ringSize);
  readonly #compactRevisions = new Float64Array(ringSize);
  readonly #chains = new Uint32Array(ringSize);
  readonly #rows = new Uint8Array(ringSize * fingerprintBytes);
  /** Held are first <= index <= last; last 0: none. */
  #first = 0;
  #last = 0;

  get last(): number {
    return this.#last;
  }

  /** Of the index after the last one; any other index begins anew. */
  record(fingerprint: Fingerprint): void {
    const { index } = fingerprint;
    if (index !== this.#last + 1) this.#first = index;
    this.#last = index;
    this.#first = Math.max(this.#first, index - ringSize + 1);
    const place = index % ringSize;
    this.#revisions[place] = fingerprint.revision;
    this.#compactRevisions[place] = fingerprint.compactRevision;
    this.#chains[place] = fingerprint.logChain;
    this.#rows.set(fingerprint.rows, place * fingerprintBytes);
  }

  /** Undefined: not held (any more). */
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
