/**
 * Without a ground truth, some answers depend on effects that leave no trace in any revision: a
 * lease without keys that ended, a compaction that got no answer. This code judges each such answer
 * by itself: was it possible? It does not compare two answers that need different choices.
 */
import { possibleOps } from "../../history/txn-ops.js";
import type { Operation, PlainOp, Request } from "../../history/types.js";
import { refusal } from "./effect.js";

export class Excuses {
  /** Lease id -> earliest time at which it can be granted by a request without an answer. */
  readonly #grantedUs = new Map<string, number>();
  /** Lease id -> earliest time at which it can have ended. */
  readonly #endedUs = new Map<string, number>();
  readonly #compactions: Operation[] = [];

  constructor(operations: readonly Operation[], { expiry }: { readonly expiry: "timed" | "any" }) {
    for (const operation of operations) {
      const { request, outcome, callUs } = operation;
      const isUnknown = outcome.kind === "unknown";
      if (request.kind === "leaseGrant" && outcome.kind !== "refused") {
        const isNamed = outcome.kind === "ok" && outcome.answer.kind === "lease";
        const { id, ttl } = isNamed ? outcome.answer : request;
        if (isUnknown) keepLeast(this.#grantedUs, id, callUs);
        keepLeast(this.#endedUs, id, expiry === "any" ? callUs : callUs + ttl * 1_000_000);
      }
      if (request.kind === "leaseRevoke" && isUnknown) keepLeast(this.#endedUs, request.id, callUs);
      if (request.kind === "compact" && isUnknown) this.#compactions.push(operation);
    }
  }

  /** Whether the lease may have existed (or not) at some moment before the operation ended. */
  ofLease(id: string, isThere: boolean, { returnUs }: Operation): boolean {
    const sinceUs = (isThere ? this.#grantedUs : this.#endedUs).get(id);
    return sinceUs !== undefined && sinceUs <= (returnUs ?? Number.POSITIVE_INFINITY);
  }

  ofRefusal(operation: Operation, error: string): boolean {
    const { request } = operation;
    if (error === refusal.leaseExists) {
      return request.kind === "leaseGrant" && this.ofLease(request.id, true, operation);
    }
    if (error === refusal.leaseNotFound) {
      return leasesOf(request).some((id) => this.ofLease(id, false, operation));
    }
    if (error !== refusal.compacted) return false;
    const endUs = operation.returnUs ?? Number.POSITIVE_INFINITY;
    return this.#compactions.some(({ request: compaction, callUs }) => {
      if (compaction.kind !== "compact" || callUs > endUs) return false;
      if (request.kind === "compact") return compaction.revision >= request.revision;
      return readsOf(request).some((revision) => revision > 0 && revision < compaction.revision);
    });
  }
}

function keepLeast(times: Map<string, number>, id: string, us: number): void {
  times.set(id, Math.min(us, times.get(id) ?? Number.POSITIVE_INFINITY));
}

function opsOf(request: Request): readonly PlainOp[] {
  if (request.kind === "txn") return possibleOps(request);
  return request.kind === "range" || request.kind === "put" ? [request] : [];
}

function leasesOf(request: Request): readonly string[] {
  if (request.kind === "leaseRevoke") return [request.id];
  return opsOf(request).flatMap((op) =>
    op.kind === "put" && op.lease !== undefined ? [op.lease] : [],
  );
}

function readsOf(request: Request): readonly number[] {
  return opsOf(request).flatMap((op) => (op.kind === "range" ? [op.revision ?? 0] : []));
}
