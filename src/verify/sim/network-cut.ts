/** The faults partition and link: messages between two sets of members are lost or late. */
import type { Fault, Target } from "./plan/plan.js";
import type { SimCluster } from "./sim-cluster.js";

/** `places` gives the places of nodes. Returns what ends the fault. */
export function cutNetwork(
  { network, nodes }: Pick<SimCluster, "network" | "nodes">,
  fault: Extract<Fault, { readonly kind: "partition" | "link" }>,
  places: (targets: readonly Target[]) => Set<number>,
): () => void {
  const remove: (() => void)[] = [];
  if (fault.kind === "link") {
    const from = places([fault.from]);
    const { lossPerMille, extraMs } = fault;
    const to = places([fault.to]);
    remove.push(network.addRule({ from, to, lossPerMille, extraUs: extraMs * 1000 }));
  } else {
    const inside = places(fault.side);
    const outside = new Set(nodes.map(({ place }) => place).filter((p) => !inside.has(p)));
    const cut = { lossPerMille: 1000, extraUs: 0 };
    if (fault.direction !== "in") {
      remove.push(network.addRule({ from: inside, to: outside, ...cut }));
    }
    if (fault.direction !== "out") {
      remove.push(network.addRule({ from: outside, to: inside, ...cut }));
    }
  }
  return () => {
    for (const undo of remove) undo();
  };
}
