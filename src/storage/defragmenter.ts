/**
 * Rewrites the backend compactly while the member works on. If a rewrite already runs, a new
 * request gets its result, because two at a time would use the same file name. A rewrite that
 * fails, for example for lack of space, changes nothing.
 */

import type { Done } from "../base/done.js";
import { DamageError, KvError } from "../base/errors.js";
import type { SnapshotMeta } from "../raft/types.js";
import type { WriteRecord } from "../state/movable-backend.js";
import type { Committer } from "./committer.js";
import type { StateStore } from "./state-store.js";

export interface DefragmenterParts {
  readonly committer: Pick<Committer, "applied" | "flush" | "replaced">;
  /** `backend` is not used here, but the mutant M05 commits to it. */
  readonly state: Pick<
    StateStore,
    "backend" | "compactFile" | "isStandIn" | "meta" | "recordWrites"
  >;
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

  /**
   * While it runs, the log must be kept: the new backend may be durable up to an earlier index than
   * the old one.
   */
  get isRunning(): boolean {
    return this.#waiting.length > 0;
  }

  /** `done` gets defragmentFailed if it fails. */
  run(done: Done<void>): void {
    this.#waiting.push(done);
    if (this.#waiting.length === 1) this.#begin();
  }

  #begin(): void {
    const { committer, state } = this.#parts;
    // What is applied from now on may be missing in the copy.
    const record = state.recordWrites();
    committer.flush(() => this.#rewrite(record));
  }

  /** Everything that was written before `record` began is durable. */
  #rewrite(record: WriteRecord): void {
    const { state } = this.#parts;
    // A stand-in is not worth rewriting, and the slot must not name it.
    if (state.isStandIn()) {
      this.#end(record);
      return;
    }
    if (record.isStopped) {
      // Another state came into use meanwhile. The record lacks the writes to that one, so the
      // rewrite begins anew.
      this.#begin();
      return;
    }
    state.compactFile(record, ({ error, isFatal, durable }) => {
      if (error === undefined) {
        if (durable !== undefined) this.#changed(durable);
        this.#end(record);
        return;
      }
      if (isFatal === true || error instanceof DamageError) this.#parts.failed(error);
      else this.#parts.log("error", "defragmentation failed", { error: error.message });
      this.#end(record, new KvError("defragmentFailed"));
    });
  }

  #end(record: WriteRecord, refusal?: KvError): void {
    record.stop();
    const told = this.#waiting;
    this.#waiting = [];
    for (const fn of told) fn(refusal);
  }

  /** The new backend is in use; a crash leaves it as of `durable`. */
  #changed(durable: SnapshotMeta): void {
    const { committer, state } = this.#parts;
    committer.replaced(durable);
    const ahead = state.meta().index - durable.index;
    if (ahead > 0) committer.applied(ahead);
  }
}
