/**
 * Keeps the pages of entries that were handed out to be applied and not yet answered. Bounds their
 * bytes, so that a slow state machine gets pages instead of everything that is committed.
 */
import type { Entry } from "../types.js";
import { entryBytes, payloadBytes } from "./entry-bytes.js";

interface Page {
  readonly lastIndex: number;
  readonly bytes: number;
  readonly payloadBytes: number;
}

export class ApplyWindow {
  readonly #bytesMax: number;
  #pages: Page[] = [];
  #bytes = 0;
  #isPaused = false;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** How many bytes the next page may have; at least 1, because a page holds at least one entry. */
  roomBytes(): number {
    return Math.max(1, this.#bytesMax - this.#bytes);
  }

  /** @param isCut the limit kept further entries out of this page */
  add(page: readonly Entry[], isCut: boolean): void {
    let bytes = 0;
    for (const entry of page) bytes += entryBytes(entry);
    const lastIndex = (page.at(-1) as Entry).index;
    this.#pages.push({ lastIndex, bytes, payloadBytes: payloadBytes(page) });
    this.#bytes += bytes;
    this.#isPaused = isCut || this.#bytes >= this.#bytesMax;
  }

  /** Forgets the pages up to `index` and returns their data bytes. */
  applied(index: number): number {
    let released = 0;
    while (this.#pages.length > 0 && (this.#pages[0] as Page).lastIndex <= index) {
      const page = this.#pages.shift() as Page;
      this.#bytes -= page.bytes;
      released += page.payloadBytes;
    }
    this.#isPaused = this.#bytes >= this.#bytesMax;
    return released;
  }
}
