/**
 * Rewrites the backend compactly while nothing is applied. A request that comes while one runs gets
 * the same result, because two at a time would use the same file name. A rewrite that fails, for
 * example for lack of space, changes nothing.
 */

import type { Done } from "../base/done.js";
import { DamageError, KvError } from "../base/errors.js";
import type { Committer } from "./committer.js";
import type { StateStore } from "./state-store.js";

export interface DefragmenterParts {
  /** No entry is applied between `pause` and `resume`. */
  pause(): void;
  resume(): void;
  readonly committer: Committer;
  readonly state: StateStore;
  /**
   * The state is damaged and must be given up, or the change to the new file failed half way and
   * the member must stop.
   */
  failed(error: Error): void;
  log(level: "error", message: string, fields: Readonly<Record<string, unknown>>): void;
}

export class Defragmenter {
  readonly #parts: DefragmenterParts;
  #waiting: Done<void>[] = [];

  constructor(parts: DefragmenterParts) {
    this.#parts = parts;
  }

  /** `done` gets defragmentFailed if it fails. */
  run(done: Done<void>): void {
    this.#waiting.push(done);
    if (this.#waiting.length > 1) return;
    const { committer, state } = this.#parts;
    this.#parts.pause();
    const end = (refusal?: KvError): void => {
      this.#parts.resume();
      const told = this.#waiting;
      this.#waiting = [];
      for (const fn of told) fn(refusal);
    };
    committer.flush(() => {
      // A stand-in is not worth rewriting, and the slot must not name it.
      if (state.isStandIn()) {
        end();
        return;
      }
      const former = state.backend();
      state.compactFile((error, isFatal) => {
        if (error === undefined) {
          if (state.backend() !== former) committer.replaced();
          end();
          return;
        }
        if (isFatal === true || error instanceof DamageError) this.#parts.failed(error);
        else {
          const cause = error.message;
          this.#parts.log("error", "defragmentation failed", { error: cause });
        }
        end(new KvError("defragmentFailed"));
      });
    });
  }
}
