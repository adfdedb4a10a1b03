/**
 * The fault atlas: which faults a plan may still inject so that the cluster can survive them all.
 * A disk that broke its promise (bit rot, a lost commit, a lost disk) counts like a lost member
 * until it was replaced; as long as a quorum of the voters kept every promise, any loss or any
 * standstill after healing is a bug and no excuse.
 */
import type { SimCluster } from "./sim-cluster.js";
import type { SimNode } from "./sim-node.js";

/** Voters as the most advanced member knows them. */
export function voterIds(cluster: SimCluster): readonly bigint[] {
  let best: { readonly index: number; readonly voters: readonly bigint[] } | undefined;
  for (const { machine } of cluster.members()) {
    const index = machine.appliedIndex;
    if (best === undefined || index > best.index)
      best = { index, voters: machine.confState.voters };
  }
  return best?.voters ?? [];
}

/**
 * May this node's disk break its promises now, on top of what is broken already? Only voters that
 * have started count, so nobody may ask while the configuration changes.
 */
export function mayDamage(cluster: SimCluster, node: SimNode): boolean {
  const voters = voterIds(cluster).length;
  const quorum = Math.floor(voters / 2) + 1;
  const broken = cluster.nodes.filter((other) => other.isDamaged && other !== node).length;
  return voters > 0 && broken + 1 <= voters - quorum;
}

/** A healthy member may leave only while nobody else is missing for good. */
export function mayLeave(cluster: SimCluster): boolean {
  return !cluster.nodes.some((node) => node.isDamaged) && voterIds(cluster).length > 1;
}
