/** The fault of a majority whose disks go back in time: writes that were acknowledged are lost. */
import type { Operator } from "./operator.js";
import type { Fault } from "./plan/plan.js";
import type { SimCluster } from "./sim-cluster.js";

export interface RollBackParts {
  readonly cluster: SimCluster;
  readonly operator: Operator;
  /** From now on the majority's earlier promises are void. */
  rolledBack(): void;
  told(): void;
}

/** All but the leader get the disks that they have now, after a while. The leader keeps its own. */
export function rollBack(
  parts: RollBackParts,
  fault: Extract<Fault, { readonly kind: "rollBack" }>,
): void {
  const { cluster, operator } = parts;
  const standing = cluster.nodes.filter(({ state, hasServed, memberId }) => {
    return state !== "wiped" && hasServed && memberId !== undefined;
  });
  const copies = new Map(standing.map((node) => [node, cluster.copyDisk(node)]));
  cluster.clock.at(fault.afterMs, () => {
    const ahead = cluster.leaderNode();
    if (ahead === undefined) return;
    parts.told();
    parts.rolledBack();
    for (const node of cluster.nodes) {
      if (node.state === "wiped" || node.life === 0) continue;
      cluster.crash(node, "power");
      const copy = copies.get(node);
      const isOlder = copy !== undefined && node !== ahead;
      if (isOlder) cluster.restoreDisk(node, copy);
      // A member that joined since has no copy, and knows what the others have lost, too.
      operator.startLater(node, fault.downMs + (isOlder ? 0 : fault.leaderLaterMs));
    }
  });
}
