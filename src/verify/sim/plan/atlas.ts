/**
 * The fault atlas: which faults a plan may still inject so that the cluster can survive them all. A
 * disk that broke its promise (a flipped bit, a lost commit, a lost disk) counts like a lost member
 * until it is replaced. As long as a quorum of the voters kept every promise, any loss and any
 * standstill after healing is a bug.
 */
import type { Ghost } from "../checks/ghost.js";
import type { SimCluster } from "../sim-cluster.js";
import type { SimNode } from "../sim-node.js";

export class Atlas {
  readonly #cluster: SimCluster;
  readonly #ghost: Ghost;

  constructor(cluster: SimCluster, ghost: Ghost) {
    this.#cluster = cluster;
    this.#ghost = ghost;
  }

  /**
   * May this node's disk break its promises now, in addition to what is broken already? Only voters
   * that have started count, so do not ask while the configuration changes.
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
   * A healthy member may leave only while no other member is missing for good. One of two may not:
   * as in etcd, the other could crash before it knows that it is alone.
   */
  mayLeave(): boolean {
    const isMissing = this.#cluster.nodes.some((node) => node.isDamaged || isEmpty(node));
    return !isMissing && this.#voters() > 2;
  }

  #voters(): number {
    return this.#ghost.configuration?.conf.voters.length ?? 0;
  }
}

/**
 * The member was added, and it has received nothing of the log or the state yet: it is useless for
 * a quorum.
 */
function isEmpty(node: SimNode): boolean {
  return node.life > 0 && node.state !== "wiped" && !node.hasServed;
}
