import type { BackendStore } from "../platform/backend.js";
import type { Sha256 } from "../platform/hash.js";
import type { AuthReader } from "../state/auth/types.js";
import { createMachine } from "../state/machine.js";
import type { ClusterReader } from "../state/types.js";
import type { FetchedState } from "./fetched-state.js";

/**
 * Opens a state without keys, which takes the place of a wrong one. Raft can continue with it, and
 * nobody can read a wrong key from it. It keeps the users, because requests that read no keys still
 * need rights.
 */
export function openStandIn(
  world: {
    readonly backends: BackendStore;
    readonly sha256: Sha256;
    readonly number: number;
  },
  at: {
    readonly index: number;
    readonly term: number;
    readonly cluster: Pick<ClusterReader, "clusterId" | "members" | "removed" | "clusterVersion">;
    readonly auth: AuthReader;
  },
): FetchedState {
  const name = `stand-in-${world.number}`;
  if (world.backends.list().includes(name)) world.backends.remove(name);
  const backend = world.backends.open(name);
  const machine = createMachine(backend, world.sha256);
  const { index, term, cluster, auth } = at;
  machine.bootstrap({
    ...{ index, term, clusterId: cluster.clusterId, members: cluster.members() },
    ...{ removed: cluster.removed(), clusterVersion: cluster.clusterVersion(), auth },
  });
  return { name, backend, machine };
}
