/**
 * A check watches a running cluster. It keeps what it must remember outside of the nodes (so a
 * crash does not touch it), and reports the first violation. docs/simulation.md lists the
 * invariants by their short names.
 */
import type { Entry, Message } from "../../../raft/types.js";
import type { Applied } from "../../../state/types.js";
import type { Operation, Request } from "../../history/types.js";
import type { ShownToUser } from "../clients/user-clients.js";
import type { Invariant } from "../invariants.js";
import type { SimCluster } from "../sim-cluster.js";
import type { SimNode } from "../sim-node.js";
import type { Ghost } from "./ghost.js";

/** The kinds of requests that members answer from the state. */
export const statePaths = /\.(KV|Lease|Watch)\//;

/** What all checks share. */
export interface CheckWorld {
  readonly cluster: SimCluster;
  readonly ghost: Ghost;
  /**
   * True with this chance, drawn by its own address; for checks too expensive to make each time.
   */
  sample(perMille: number): boolean;
  /** @throws Violation, unless this invariant is switched off */
  report(invariant: Invariant, text: string, node?: SimNode): void;
}

/** The calls come inside the event that they are about; the node is in the state after it. */
export interface Check {
  /** An event of this running node has ended. */
  stepped?(node: SimNode): void;
  starting?(node: SimNode): void;
  started?(node: SimNode): void;
  /** Before the disk loses what a power failure may take. */
  ended?(node: SimNode, how: "power" | "kill" | "stop" | "error"): void;
  sent?(from: SimNode, message: Message): void;
  synced?(node: SimNode, what: "wal" | "backend"): void;
  applied?(node: SimNode, entry: Entry, applied: Applied): void;
  /** A service answers a client, or sends it something on a stream; refusals do not count. */
  served?(node: SimNode, path: string): void;
  /** A service shows keys to a user, or to nobody. */
  shown?(node: SimNode, shown: ShownToUser): void;
  /** A client sends a request. */
  asked?(request: Request): void;
  /** Called when a client got its answer. */
  answered?(operation: Operation): void;
  /** The run is over and healed. */
  finished?(): void;
}
