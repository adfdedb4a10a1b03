/**
 * Rewrites the backend compactly while nothing is applied. Who asks while one runs gets its result:
 * two at a time would take the same name for two files.
 */
import type { Committer } from "./committer.js";
import type { Driver } from "./driver.js";
import type { StateStore } from "./state-store.js";

export interface DefragmenterParts {
  readonly driver: Driver;
  readonly committer: Committer;
  readonly state: StateStore;
  failed(error: Error): void;
}

export class Defragmenter {
  readonly #parts: DefragmenterParts;
  #waiting: (() => void)[] = [];

  constructor(parts: DefragmenterParts) {
    this.#parts = parts;
  }

  run(done: () => void): void {
    this.#waiting.push(done);
    if (this.#waiting.length > 1) return;
    const { driver, committer, state } = this.#parts;
    driver.pause();
    committer.flush(() => {
      state.compactFile((error) => {
        if (error !== undefined) {
          this.#parts.failed(error);
          return;
        }
        committer.replaced();
        driver.resume();
        const told = this.#waiting;
        this.#waiting = [];
        for (const fn of told) fn();
      });
    });
  }
}
