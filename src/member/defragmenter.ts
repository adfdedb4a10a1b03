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
    const end = (): void => {
      driver.resume();
      const told = this.#waiting;
      this.#waiting = [];
      for (const fn of told) fn();
    };
    committer.flush(() => {
      // A stand-in is not worth it, and must not be named as the state.
      if (state.isStandIn()) {
        end();
        return;
      }
      state.compactFile((error) => {
        // What is damaged is given up, and the member goes on with a stand-in; else it stops.
        if (error !== undefined) this.#parts.failed(error);
        else committer.replaced();
        end();
      });
    });
  }
}
