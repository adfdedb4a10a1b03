/**
 * Rewrites the backend compactly while nothing is applied. Who asks while one runs gets its result:
 * two at a time would take the same name for two files. One that fails, for want of space, changes
 * nothing.
 */

import type { Done } from "../base/done.js";
import { DamageError, KvError } from "../base/errors.js";
import type { Committer } from "./committer.js";
import type { StateStore } from "./state-store.js";

export interface DefragmenterParts {
  /** Entries are not applied between the two. */
  pause(): void;
  resume(): void;
  readonly committer: Committer;
  readonly state: StateStore;
  /** The state is damaged: it is given up. Or the change to the new file failed half way: the member stops. */
  failed(error: Error): void;
  log(level: "error", message: string, fields: Readonly<Record<string, unknown>>): void;
}

export class Defragmenter {
  readonly #parts: DefragmenterParts;
  #waiting: Done<void>[] = [];

  constructor(parts: DefragmenterParts) {
    this.#parts = parts;
  }

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
      // A stand-in is not worth it, and must not be named as the state.
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
