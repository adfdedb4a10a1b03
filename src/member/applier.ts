/**
 * Committed entries into the state machine, in order, each exactly once, and the news of it to all
 * who wait: watchers first, then the proposer.
 */
import { KvError } from "../base/errors.js";
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
}

export class Applier {
  readonly #parts: ApplierParts;

  constructor(parts: ApplierParts) {
    this.#parts = parts;
  }

  apply(entries: readonly Entry[]): void {
    const machine = this.#parts.machine();
    for (const entry of entries) {
      // After a restart raft hands out from the backend's index on; older ones never come.
      if (entry.index <= machine.appliedIndex) continue;
      const applied = machine.apply(entry);
      if (entry.type !== EntryType.normal) this.#parts.applyConfChange(applied.conf?.change);
      if (applied.events !== undefined) this.#parts.watch().notify(applied.events);
      this.#parts.applied(applied);
      if (applied.requestId !== 0 && applied.proposer === this.#parts.selfId) {
        this.#parts.proposals.settle(applied.requestId, applied);
      }
    }
  }
}

/** The error of an outcome, if it is one. */
export function errorOf(applied: Applied): KvError | undefined {
  return applied.outcome instanceof KvError ? applied.outcome : undefined;
}
