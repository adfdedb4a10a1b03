/**
 * The fault atlas: which faults a plan may still inject so that the cluster can survive them all.
 * A disk that broke its promise (bit rot, a lost commit, a lost disk) counts like a lost member
 * until it was replaced; as long as a quorum of the voters kept every promise, any loss or any
 * standstill after healing is a bug and no excuse.
 */
import type { Ghost } from "./checks/ghost.js";
import type { SimCluster } from "./sim-cluster.js";
import type { SimNode } from "./sim-node.js";

export class Atlas {
  readonly #cluster: SimCluster;
  readonly #ghost: Ghost;

  constructor(cluster: SimCluster, ghost: Ghost) {
    this.#cluster = cluster;
    this.#ghost = ghost;
  }

  /**
   * May this node's disk break its promises now, on top of what is broken already? Only voters
   * that have started count, so nobody may ask while the configuration changes.
   */
  mayDamage(node: SimNode): boolean {
    const voters = this.#voters();
    const quorum = Math.floor(voters / 2) + 1;
    const broken = this.#cluster.nodes.filter(
      (other) => other !== node && (other.isDamaged || isEmpty(other)),
    ).length;
    return voters > 0 && broken + 1 <= voters - quorum;
  }

  /**
   * A healthy member may leave only while nobody else is missing for good. One of two may not: as
   * in etcd, the one that stays could crash before it knows that it is alone.
   */
  mayLeave(): boolean {
    const isMissing = this.#cluster.nodes.some((node) => node.isDamaged || isEmpty(node));
    return !isMissing && this.#voters() > 2;
  }

  #voters(): number {
    return this.#ghost.configuration?.conf.voters.length ?? 0;
  }
}

/** Added, and nothing of the log or the state has come yet: of no use for a quorum. */
function isEmpty(node: SimNode): boolean {
  return node.life > 0 && node.state !== "wiped" && !node.hasServed;
}
