/**
 * Decides at the leader when to propose another cluster version: the first one, a higher one once
 * all members run it, and the end of a downgrade once all members run its target. The state machine
 * decides which of these proposals are valid.
 */
import type { Clock } from "../../platform/clock.js";
import { initialVersion, mayServe } from "../../state/cluster/version.js";
import type { ClusterReader } from "../../state/types.js";
import { ClusterVersionSetRequest, DowngradeInfoSetRequest } from "../../wire/gen/internal.js";
import { RequestField } from "../../wire/proposal.js";

const retryMs = 500;

export interface VersionMonitorParts {
  readonly clock: Clock;
  readonly serverVersion: string;
  cluster(): ClusterReader;
  isLeader(): boolean;
  propose(field: RequestField, body: Uint8Array, done: () => void): void;
}

export class VersionMonitor {
  readonly #parts: VersionMonitorParts;
  #isProposing = false;
  #isStopped = false;

  constructor(parts: VersionMonitorParts) {
    this.#parts = parts;
  }

  /** Call when entries were applied or the leader changed. Proposes at most one change at a time. */
  poke(): void {
    if (this.#isStopped || this.#isProposing || !this.#parts.isLeader()) return;
    const cluster = this.#parts.cluster();
    const version = this.#versionToSet(cluster);
    if (version !== undefined) {
      const body = ClusterVersionSetRequest.encode({ ver: version }).finish();
      this.#propose(RequestField.clusterVersionSet, body);
    } else if (cluster.downgradeTarget() !== undefined && cluster.isDowngradeComplete()) {
      const body = DowngradeInfoSetRequest.encode({ enabled: false, ver: "" }).finish();
      this.#propose(RequestField.downgradeInfoSet, body);
    }
  }

  stop(): void {
    this.#isStopped = true;
  }

  #versionToSet(cluster: ClusterReader): string | undefined {
    const { serverVersion } = this.#parts;
    if (cluster.clusterVersion() === "") return initialVersion(serverVersion, cluster.members());
    const due = cluster.dueVersion();
    // This member's own row may still be from an earlier life.
    return due !== undefined && mayServe(serverVersion, due) ? due : undefined;
  }

  #propose(field: RequestField, body: Uint8Array): void {
    this.#isProposing = true;
    this.#parts.propose(field, body, () => {
      this.#parts.clock.after(retryMs, () => {
        this.#isProposing = false;
        this.poke();
      });
    });
  }
}
