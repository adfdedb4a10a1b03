/**
 * Checks what clients rely on with leases: an acknowledged grant or renewal keeps the lease, and
 * the keys attached to it, for its time to live, counted from the moment at which the client asked.
 *
 * The judge has only what clients saw. A promise is broken if a watch shows the deletion of an
 * attached key before that time is over, or if a renewal is answered with "there is no such lease".
 * Keys with leases belong to one client each, and nobody else deletes them.
 */

import type { History, Operation } from "../../verify/history/types.js";
import { first } from "../traffic/draw-request.js";

interface Lease {
  readonly id: string;
  /**
   * What each request promised: when it was called, and until when the lease must live, both in
   * microseconds.
   */
  readonly promises: { readonly callUs: number; readonly untilUs: number }[];
  /** When the client first asked to end it, in microseconds: from then on it may end. */
  revokedUs: number;
  readonly keys: Map<string, number>;
}

/** By how many per mille two clocks may differ in speed. */
const driftPerMille = 25;
/** Keys below this prefix have leases; each belongs to one client. */
export const leasePrefix = `${first}lease/`;

/** Every broken promise as a sentence. Empty: none was broken. */
export function leaseFindings(history: History): readonly string[] {
  const leases = readLeases(history.operations);
  const byValue = new Map<string, Lease>();
  for (const lease of leases.values()) for (const [key] of lease.keys) byValue.set(key, lease);
  return [...deniedTooEarly(history.operations, leases), ...deletedTooEarly(history, byValue)];
}

function readLeases(operations: readonly Operation[]): ReadonlyMap<string, Lease> {
  const leases = new Map<string, Lease>();
  for (const { request, outcome, callUs } of operations) {
    if (request.kind === "leaseGrant" && outcome.kind === "ok") {
      leases.set(request.id, {
        ...{ id: request.id, revokedUs: Number.POSITIVE_INFINITY },
        ...{ promises: [], keys: new Map() },
      });
    }
    if (request.kind === "leaseGrant" || request.kind === "leaseKeepAlive") {
      if (outcome.kind !== "ok" || outcome.answer.kind !== "lease") continue;
      const { ttl } = outcome.answer;
      const untilUs = callUs + ttl * 1_000 * (1_000 - driftPerMille);
      if (ttl > 0) leases.get(request.id)?.promises.push({ callUs, untilUs });
    }
    if (request.kind === "leaseRevoke") {
      const lease = leases.get(request.id);
      if (lease !== undefined) lease.revokedUs = Math.min(lease.revokedUs, callUs);
    }
    if (request.kind === "put" && request.lease !== undefined && outcome.kind === "ok") {
      leases.get(request.lease)?.keys.set(request.key, outcome.revision);
    }
  }
  return leases;
}

/**
 * For how many more milliseconds the lease should have lived at `atUs`, by the promises made
 * before.
 */
function leftMs({ promises, revokedUs }: Lease, atUs: number): number {
  if (revokedUs < atUs) return 0;
  const known = promises.filter(({ callUs }) => callUs < atUs).map(({ untilUs }) => untilUs);
  return Math.round((Math.max(0, ...known) - atUs) / 1_000);
}

/**
 * A finding if a renewal was told too early that there is no such lease. The member decided that
 * before the answer came.
 */
function deniedTooEarly(
  operations: readonly Operation[],
  leases: ReadonlyMap<string, Lease>,
): readonly string[] {
  return operations.flatMap(({ request, outcome, returnUs, member }) => {
    if (request.kind !== "leaseKeepAlive" || outcome.kind !== "ok") return [];
    const lease = leases.get(request.id);
    const { answer } = outcome;
    if (lease === undefined || answer.kind !== "lease" || answer.ttl > 0) return [];
    const left = leftMs(lease, returnUs ?? 0);
    if (left <= 0) return [];
    return [
      `lease ${request.id} ended ${left} ms before its time: ${member} answered a renewal with "no such lease"`,
    ];
  });
}

function deletedTooEarly(
  { watches }: History,
  byKey: ReadonlyMap<string, Lease>,
): readonly string[] {
  const found = new Map<string, string>();
  for (const { responses, member } of watches) {
    for (const { atUs, events } of responses) {
      for (const { type, key, mod } of events) {
        const lease = type === "delete" ? byKey.get(key) : undefined;
        if (lease === undefined) continue;
        const left = leftMs(lease, atUs);
        if (left <= 0) continue;
        found.set(
          lease.id,
          `lease ${lease.id} ended ${left} ms before its time: a watch at ${member} told that its key ${key} was deleted at revision ${mod}`,
        );
      }
    }
  }
  return [...found.values()];
}
