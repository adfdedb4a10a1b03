/**
 * Committed entries into the state machine, in order, each exactly once, and the news of it to all
 * who wait: watchers first, then the proposer.
 */
import { DamageError, KvError } from "../base/errors.js";
import { type ConfChange, type ConfState, type Entry, EntryType } from "../raft/types.js";
import type { WatchHub } from "../state/mvcc/watch-hub.js";
import type { Applied, Machine } from "../state/types.js";
import type { Proposals } from "./proposals.js";

export interface ApplierParts {
  readonly selfId: bigint;
  readonly proposals: Proposals;
  machine(): Machine;
  watch(): WatchHub;
  applyConfChange(change: ConfChange | undefined): ConfState;
  /** Leases, members or alarms may have changed. */
  applied(applied: Applied): void;
  /** The state is damaged: true if another one has taken its place, at the same index. */
  damaged(error: DamageError): boolean;
}

export class Applier {
  readonly #parts: ApplierParts;

  constructor(parts: ApplierParts) {
    this.#parts = parts;
  }

  apply(entries: readonly Entry[]): void {
    for (const entry of entries) {
      // After a restart raft hands out from the backend's index on; older ones never come.
      if (entry.index <= this.#parts.machine().appliedIndex) continue;
      const applied = this.#applyOne(entry);
      if (entry.type !== EntryType.normal) this.#parts.applyConfChange(applied.conf?.change);
      if (applied.events !== undefined) this.#parts.watch().notify(applied.events);
      this.#parts.applied(applied);
      if (applied.requestId !== 0 && applied.proposer === this.#parts.selfId) {
        this.#parts.proposals.settle(applied.requestId, applied);
      }
    }
  }

  #applyOne(entry: Entry): Applied {
    try {
      return this.#parts.machine().apply(entry);
    } catch (error) {
      if (!(error instanceof DamageError) || !this.#parts.damaged(error)) throw error;
      return this.#parts.machine().apply(entry);
    }
  }
}

/** The error of an outcome, if it is one. */
export function errorOf(applied: Applied): KvError | undefined {
  return applied.outcome instanceof KvError ? applied.outcome : undefined;
}
