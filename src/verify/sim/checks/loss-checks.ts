/**
 * When the disks of a majority were replaced by older copies, acknowledged writes are gone, and
 * what clients see of the majority since then proves nothing. One rule remains (G8): a member that
 * has committed entries that its leader's log lacks answers no client from its own history.
 */
import type { Operation } from "../../history/types.js";
import type { SimNode } from "../sim-node.js";
import { type Check, type CheckWorld, statePaths } from "./check.js";

export class LossChecks implements Check {
  readonly #world: CheckWorld;
  /**
   * Since when members have followed a leader that lacks their committed entries: virtual
   * microseconds.
   */
  readonly #sinceUs = new Map<SimNode, number>();

  constructor(world: CheckWorld) {
    this.#world = world;
  }

  stepped(node: SimNode): void {
    if (!this.#world.ghost.isRolledBack) return;
    if (!this.#isAhead(node)) this.#sinceUs.delete(node);
    else if (!this.#sinceUs.has(node)) this.#sinceUs.set(node, this.#world.cluster.clock.nowUs());
  }

  ended(node: SimNode): void {
    this.#sinceUs.delete(node);
  }

  /** The member knows by itself that its history is another one. */
  served(node: SimNode, path: string): void {
    const own = node.member?.probe.divergence.own();
    if (own === undefined || !statePaths.test(path)) return;
    const text = `${node.name} answers ${path} and has entries that its leader lacks`;
    this.#world.report("G8", text, node);
  }

  /** Whether the member knows it or not: the leader has to confirm each linearizable read. */
  answered({ request, outcome, member, callUs }: Operation): void {
    const node = this.#world.cluster.nodes.find(({ name }) => name === member);
    const sinceUs = node && this.#sinceUs.get(node);
    const isRead = request.kind === "range" && request.serializable !== true;
    if (!isRead || outcome.kind !== "ok" || sinceUs === undefined || callUs < sinceUs) return;
    const text = `${member} answers a linearizable read from entries that its leader lacks`;
    this.#world.report("G8", text, node);
  }

  #isAhead(node: SimNode): boolean {
    const raft = node.member?.probe.raft;
    const leader = raft && this.#world.cluster.nodeOf(raft.leader());
    const probe = leader?.member?.probe;
    if (raft === undefined || probe === undefined || leader === node) return false;
    if (!probe.raft.isLeader() || probe.raft.term() !== raft.term()) return false;
    return raft.committedIndex() > probe.log.lastIndex();
  }
}
