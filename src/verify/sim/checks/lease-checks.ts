/**
 * Leases as clients rely on them (C6): an acknowledged grant or renewal keeps the lease for its
 * time, whichever member leads. The time is that of the slowest honest client's clock, less the
 * allowed drift.
 */
import type { Entry } from "../../../raft/types.js";
import { openRequest } from "../../../wire/internal-request.js";
import type { Operation, Request } from "../../history/types.js";
import { requestOfEntry } from "../clients/client-calls.js";
import type { SimNode } from "../sim-node.js";
import type { Check, CheckWorld } from "./check.js";

/** Allowed difference in speed between two clocks (per mille, both sides together). */
const driftPerMille = 25;

export class LeaseChecks implements Check {
  readonly #world: CheckWorld;
  /** By lease id: the lease may not end before this time. */
  readonly #aliveUntilUs = new Map<string, number>();
  /** Revocations that clients asked for and that may still take effect. */
  readonly #revoking = new Map<string, number>();
  /** When each lease last ended: acknowledgements of earlier requests no longer matter. */
  readonly #endedUs = new Map<string, number>();
  #checked = 0;

  constructor(world: CheckWorld) {
    this.#world = world;
  }

  asked(request: Request): void {
    if (request.kind !== "leaseRevoke") return;
    this.#revoking.set(request.id, (this.#revoking.get(request.id) ?? 0) + 1);
  }

  answered(operation: Operation): void {
    const { outcome, callUs, request } = operation;
    if (request.kind === "leaseRevoke" && outcome.kind !== "unknown") {
      this.#revoking.set(request.id, (this.#revoking.get(request.id) ?? 1) - 1);
    }
    if (outcome.kind !== "ok" || outcome.answer.kind !== "lease") return;
    const { id, ttl } = outcome.answer;
    if (ttl <= 0 || callUs <= (this.#endedUs.get(id) ?? 0)) return;
    const untilUs = callUs + Math.floor((ttl * 1_000_000 * (1000 - driftPerMille)) / 1000);
    this.#aliveUntilUs.set(id, Math.max(this.#aliveUntilUs.get(id) ?? 0, untilUs));
  }

  applied(node: SimNode, entry: Entry): void {
    if (entry.index <= this.#checked || entry.type !== 0 || entry.data.length === 0) return;
    this.#checked = entry.index;
    const { field, body } = openRequest(entry.data);
    const request = requestOfEntry(field, body);
    if (request?.kind !== "leaseRevoke") return;
    const untilUs = this.#aliveUntilUs.get(request.id) ?? 0;
    const nowUs = this.#world.cluster.clock.nowUs();
    this.#aliveUntilUs.delete(request.id);
    this.#endedUs.set(request.id, nowUs);
    if ((this.#revoking.get(request.id) ?? 0) > 0) return;
    const leftUs = untilUs - nowUs;
    if (leftUs > 0) {
      const text = `lease ${request.id} ends ${Math.round(leftUs / 1000)} ms too early`;
      this.#world.report("C6", text, node);
    }
  }
}
