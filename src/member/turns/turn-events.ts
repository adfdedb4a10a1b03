/**
 * Carries out what follows from a turn of the driver: after an applied entry, a change of leader,
 * or an installed snapshot.
 */
import { KvError } from "../../base/errors.js";
import { invariant } from "../../base/invariant.js";
import type { IntegrityMonitor } from "../../integrity/monitor.js";
import type { PeerLinks } from "../../peers/links.js";
import type { Clock } from "../../platform/clock.js";
import type { Platform } from "../../platform/platform.js";
import type { Ready } from "../../raft/types.js";
import type { SnapshotTransfer } from "../../snapshot/transfer.js";
import type { Applied, MachineReader } from "../../state/types.js";
import type { WatchHub } from "../../state/watch/hub.js";
import type { Committer } from "../../storage/committer.js";
import type { StateStore } from "../../storage/state-store.js";
import type { Leadership } from "../cluster/leadership.js";
import type { Incarnations } from "../incarnation/incarnations.js";
import { versionRefusal } from "../startup/version-check.js";
import type { ReadBarrier } from "./read-barrier.js";

export interface TurnEventsParts {
  readonly selfId: bigint;
  readonly clock: Clock;
  readonly electionMs: number;
  readonly serverVersion: string;
  readonly log: Platform["log"];
  readonly monitor: Pick<IntegrityMonitor, "applied" | "leaderChanged" | "replaced">;
  readonly links: Pick<PeerLinks, "sync">;
  readonly leadership: Pick<Leadership, "observe">;
  readonly reads: Pick<ReadBarrier, "leaderChanged">;
  readonly transfer: Pick<SnapshotTransfer, "sink">;
  readonly state: Pick<StateStore, "replace">;
  readonly committer: Pick<Committer, "replaced">;
  readonly watch: Pick<WatchHub, "closeAll">;
  readonly incarnations: Pick<Incarnations, "applied">;
  machine(): MachineReader;
  /** Asks the driver for a turn. */
  schedule(): void;
  /** Informs the lease driver and the authenticator. */
  entryApplied(applied: Applied): void;
  /** Informs the parts that keep something of the state. */
  stateReplaced(): void;
  leaderChanged(isLeader: boolean): void;
  /** Called when the members may have changed. */
  membersChanged(): void;
  /** Wakes the parts that wait for applied entries or for a leader. */
  progressed(): void;
  removed(): void;
  failed(error: Error): void;
}

export class TurnEvents {
  readonly #parts: TurnEventsParts;

  constructor(parts: TurnEventsParts) {
    this.#parts = parts;
  }

  /** @throws StartError when the cluster version becomes one that this build does not serve */
  applied(applied: Applied): void {
    const { monitor, links, clock, electionMs } = this.#parts;
    const machine = this.#parts.machine();
    monitor.applied(machine, applied);
    this.#parts.entryApplied(applied);
    const { outcome } = applied;
    if (!(outcome instanceof KvError) && outcome.kind === "clusterVersion") this.#checkVersion();
    if (applied.conf === undefined) return;
    this.#parts.membersChanged();
    links.sync();
    if (machine.cluster.isRemoved(this.#parts.selfId)) {
      // Perhaps only this member can tell the others that the removal is committed, so it stops one
      // election timeout later.
      clock.after(electionMs, () => this.#parts.removed());
    }
  }

  softStateChanged(state: NonNullable<Ready["softState"]>): void {
    const { leadership, log, monitor, reads, selfId } = this.#parts;
    if (!leadership.observe(state)) return;
    const message = state.leader === 0n ? "raft: lost leader" : "raft: elected leader";
    log("info", message, { leader: state.leader.toString(16), term: state.term });
    const isLeader = state.leader === selfId;
    this.#parts.leaderChanged(isLeader);
    monitor.leaderChanged(isLeader);
    if (state.leader === 0n) return;
    reads.leaderChanged();
    this.#parts.progressed();
    this.#parts.schedule();
  }

  /**
   * Replaces this member's state by the fetched one. Calls `done` inside the call; if it cannot,
   * the member fails.
   */
  installSnapshot(index: number, done: () => void): void {
    const { transfer, state, committer, monitor, watch, links, log, incarnations } = this.#parts;
    try {
      const fetched = transfer.sink.take(index);
      invariant(fetched !== undefined, "raft installs a snapshot that is not here");
      state.replace(fetched);
      committer.replaced();
      monitor.replaced();
      watch.closeAll();
      this.#parts.stateReplaced();
      links.sync();
      log("info", "applied snapshot", { "snapshot-index": index });
      this.#parts.membersChanged();
      this.#checkVersion();
      incarnations.applied();
    } catch (refusal) {
      this.#parts.failed(refusal as Error);
      return;
    }
    done();
    // A joining member may get its whole state this way, and no entry may follow.
    this.#parts.progressed();
  }

  /** @throws StartError when later entries follow rules that this build does not have */
  #checkVersion(): void {
    const { serverVersion, log } = this.#parts;
    const version = this.#parts.machine().cluster.clusterVersion();
    log("info", "the cluster's version", { "cluster-version": version });
    const refusal = versionRefusal(serverVersion, version);
    if (refusal !== undefined) throw refusal;
  }
}
