/**
 * Members that find out that a state is wrong (G1 to G4): only who was harmed enters quarantine, who is
 * in it answers no client, who was cleared is right, and nobody stays wrong unseen.
 */
import { readQuarantine } from "../../../member/integrity/quarantine-file.js";
import type { SimNode } from "../sim-node.js";
import type { Check, CheckWorld } from "./check.js";

/** What clients are answered from the state. */
const statePaths = /\.(KV|Lease|Watch)\//;

export class IntegrityChecks implements Check {
  readonly #world: CheckWorld;
  /** Members in quarantine after their last event. */
  readonly #quarantined = new Set<SimNode>();

  constructor(world: CheckWorld) {
    this.#world = world;
  }

  started(node: SimNode): void {
    this.#look(node);
  }

  stepped(node: SimNode): void {
    this.#look(node);
  }

  /** A member that a crash takes out of quarantine knows it again after the next start. */
  ended(node: SimNode): void {
    if (!this.#quarantined.delete(node) || node.state === "wiped") return;
    if (readQuarantine(node.disk.durableImage()) === undefined) {
      this.#world.report("G2", `${node.name} is in quarantine, and its disk does not say so`, node);
    }
  }

  served(node: SimNode, path: string): void {
    if (!node.isInQuarantine() || !statePaths.test(path)) return;
    this.#world.report("G2", `${node.name} answers ${path} in quarantine`, node);
  }

  finished(): void {
    for (const node of this.#world.cluster.nodes) {
      if (node.state !== "up" || !node.isWrong) continue;
      this.#world.report("G4", `${node.name}'s state is wrong, and nobody has found out`, node);
    }
  }

  #look(node: SimNode): void {
    const isIn = node.isInQuarantine();
    if (isIn === this.#quarantined.has(node)) return;
    if (isIn) {
      this.#quarantined.add(node);
      if (!node.isDamaged && !node.wasWrong) {
        const { reason } = node.member?.engine.guardian.quarantine() ?? {};
        this.#world.report("G1", `${node.name} is in quarantine without a cause: ${reason}`, node);
      }
      node.found();
      return;
    }
    this.#quarantined.delete(node);
    const machine = node.member?.machine;
    if (machine === undefined) return;
    const right = this.#world.ghost.roots.get(machine.appliedIndex);
    if (right === undefined || right === String.fromCharCode(...machine.digests().root)) return;
    this.#world.report(
      "G3",
      `${node.name} is cleared, but differs at ${machine.appliedIndex}`,
      node,
    );
  }
}
