/**
 * Compaction by the cluster itself (K): only a leader decides it, and it leaves what the retention
 * keeps. A compaction that no client asked for is one of these.
 */
import { KvError } from "../../../base/errors.js";
import { type Entry, EntryType } from "../../../raft/types.js";
import type { Applied } from "../../../state/types.js";
import { openRequest } from "../../../wire/internal-request.js";
import type { Request } from "../../history/types.js";
import { requestOfEntry } from "../clients/client-calls.js";
import type { Swarm } from "../plan/plan.js";
import type { SimNode } from "../sim-node.js";
import type { Check, CheckWorld } from "./check.js";

/** A member's clock may run this much faster than the cluster's (per mille). */
const driftPerMille = 15;

export class CompactionChecks implements Check {
  readonly #world: CheckWorld;
  readonly #wanted: Swarm["autoCompaction"];
  /** The revisions that clients asked to compact. */
  readonly #asked = new Set<number>();
  /** When each revision was first applied, ascending. */
  readonly #revisions: { readonly atUs: number; readonly revision: number }[] = [];
  #index = 0;

  constructor(world: CheckWorld, wanted: Swarm["autoCompaction"]) {
    this.#world = world;
    this.#wanted = wanted;
  }

  asked(request: Request): void {
    if (request.kind === "compact") this.#asked.add(request.revision);
  }

  applied(node: SimNode, entry: Entry, applied: Applied): void {
    if (this.#wanted === undefined || entry.index <= this.#index) return;
    this.#index = entry.index;
    const { revision } = applied;
    const atUs = this.#world.cluster.clock.nowUs();
    if (revision > (this.#revisions.at(-1)?.revision ?? 0))
      this.#revisions.push({ atUs, revision });
    if (entry.type !== EntryType.normal || entry.data.length === 0) return;
    const { field, body, proposer } = openRequest(entry.data);
    const request = requestOfEntry(field, body);
    if (request?.kind !== "compact" || this.#asked.has(request.revision)) return;
    this.#judge(node, { entry, proposer, revision: request.revision, applied });
  }

  #judge(
    node: SimNode,
    found: {
      readonly entry: Entry;
      readonly proposer: bigint;
      readonly revision: number;
      readonly applied: Applied;
    },
  ): void {
    const { entry, proposer, revision, applied } = found;
    const what = `entry ${entry.index} compacts at revision ${revision}`;
    if (!this.#hasLed(proposer, entry.term)) {
      this.#world.report(
        "K",
        `${what} for member ${proposer.toString(16)}, which did not lead`,
        node,
      );
    }
    if (applied.outcome instanceof KvError) return;
    const newest = this.#newestAllowed(applied.revision);
    if (revision > newest) {
      this.#world.report("K", `${what}, and the retention keeps what is after ${newest}`, node);
    }
  }

  /** A leader's proposal may be on its way when the next one is elected. */
  #hasLed(member: bigint, term: number): boolean {
    const { leaders } = this.#world.ghost;
    return [...leaders].some(([led, leader]) => led <= term && leader === member);
  }

  #newestAllowed(current: number): number {
    const { mode, retention } = this.#wanted as NonNullable<Swarm["autoCompaction"]>;
    if (mode === "revision") return current - retention;
    const us = Math.floor(retention * (1000 - driftPerMille));
    const fromUs = this.#world.cluster.clock.nowUs() - us;
    return this.#revisions.findLast(({ atUs }) => atUs <= fromUs)?.revision ?? 1;
  }
}
