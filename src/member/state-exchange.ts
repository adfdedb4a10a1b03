/** How a member in quarantine gives up its wrong state, and takes a fetched one in its place. */
import { KvError } from "../base/errors.js";
import { invariant } from "../base/invariant.js";
import { adoptState } from "../integrity/repair/adoption.js";
import type { Clock } from "../platform/clock.js";
import type { SnapshotTransfer } from "../snapshot/transfer.js";
import type { MachineReader } from "../state/types.js";
import type { WatchHub } from "../state/watch/hub.js";
import type { Committer } from "../storage/committer.js";
import type { StateStore } from "../storage/state-store.js";
import type { MemoryLogStorage } from "../wal/memory-log-storage.js";
import type { Proposals } from "./turns/proposals.js";
import type { ReadBarrier } from "./turns/read-barrier.js";

export interface StateExchangeParts {
  readonly clock: Clock;
  readonly log: MemoryLogStorage;
  readonly state: Pick<StateStore, "machine" | "replace" | "standIn">;
  readonly committer: Pick<Committer, "applied" | "replaced">;
  readonly transfer: Pick<SnapshotTransfer, "healSink" | "source">;
  readonly watch: Pick<WatchHub, "closeAll">;
  readonly proposals: Pick<Proposals, "failAll">;
  readonly reads: Pick<ReadBarrier, "failAll">;
  /** Informs the parts that keep something of the state. */
  stateReplaced(): void;
  isStopped(): boolean;
  failed(error: Error): void;
}

/** Replaces the wrong state by a stand-in. */
export function giveUpState(parts: StateExchangeParts): void {
  parts.transfer.source.close();
  parts.state.standIn();
  parts.committer.replaced();
  parts.stateReplaced();
  endWaiting(parts);
}

/** Ends what clients wait for at this member, so that they ask another one. */
export function endWaiting(parts: Pick<StateExchangeParts, "watch" | "proposals" | "reads">): void {
  parts.watch.closeAll();
  const stopped = new KvError("stopped");
  parts.proposals.failAll(stopped);
  parts.reads.failAll(stopped);
}

/**
 * Takes the state that was fetched for `index` into use. `record` hears of each entry that is
 * applied to catch up.
 */
export function adoptFetched(
  parts: StateExchangeParts,
  fetched: { readonly index: number; record(machine: MachineReader): void },
  done: (error: Error | undefined) => void,
): void {
  const taken = parts.transfer.healSink.take(fetched.index);
  invariant(taken !== undefined, "a state is adopted that is not here");
  const record = (machine: MachineReader): void => fetched.record(machine);
  adoptState({ ...parts, record }, taken, (error) => {
    if (error === undefined) {
      parts.watch.closeAll();
      parts.stateReplaced();
    }
    done(error);
  });
}
