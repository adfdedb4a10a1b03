/**
 * Ends leases whose time is over: the leader proposes a revocation of each. Many may end at once.
 * Only a window of revocations is on its way at a time, and the next ones follow as soon as these
 * are applied. So each turn has room for requests of clients, and revocations go as fast as the
 * members apply them.
 */

import { KvError } from "../base/errors.js";
import { invariant } from "../base/invariant.js";
import type { Clock } from "../platform/clock.js";
import { type Entry, EntryType } from "../raft/types.js";
import type { Applied } from "../state/types.js";
import { LeaseGrantRequest, LeaseRevokeRequest } from "../wire/gen/rpc.js";
import { openRequest } from "../wire/internal-request.js";
import { RequestField } from "../wire/proposal.js";
import type { Lessor } from "./lessor.js";

/** How many revocations may be on their way: some tens of milliseconds of work. */
const windowMax = 2_500;
/** Milliseconds without progress after which the revocations on their way count as lost. */
const lostMs = 3_000;

export interface LeaseExpiryParts {
  readonly clock: Clock;
  readonly lessor: Lessor;
  /**
   * Proposes without waiting for an outcome. The proposal is dropped if this member does not lead
   * when raft takes it, or if `isRight` is false then.
   */
  propose(field: RequestField, body: Uint8Array, isRight: () => boolean): void;
  /** The entries of this member's log behind `index`, which is an applied one or later. */
  entriesAfter(index: number): readonly Entry[];
  /** The last index of this member's log, and the last one that it has applied. */
  lastIndex(): number;
  appliedIndex(): number;
}

export class LeaseExpiry {
  readonly #parts: LeaseExpiryParts;
  /** Leases whose revocations were proposed and are not applied yet. */
  readonly #underWay = new Set<bigint>();
  /** When the last revocation was applied or proposed: milliseconds of the clock. */
  #movedMs = 0;
  /**
   * The index of the last entry that grants or revokes each lease, of the entries up to
   * `#seenIndex`.
   */
  readonly #touched = new Map<bigint, number>();
  #seenIndex = 0;
  /** How many leases ended here because their time was over. */
  ended = 0;

  constructor(parts: LeaseExpiryParts) {
    this.#parts = parts;
  }

  /** Call when the leader changed. */
  reset(): void {
    this.#underWay.clear();
    this.#touched.clear();
    this.#seenIndex = 0;
  }

  /** Call for each applied entry, at the leader. */
  applied({ outcome }: Applied): void {
    if (this.#underWay.size === 0) return;
    if (outcome instanceof KvError || outcome.kind !== "leaseRevoke") return;
    if (!this.#underWay.delete(outcome.id)) return;
    this.ended++;
    this.#movedMs = this.#parts.clock.now();
    if (this.#underWay.size <= windowMax / 2) this.propose();
  }

  /** Call now and then, at the leader. */
  tick(nowMs: number): void {
    if (nowMs - this.#movedMs >= lostMs) this.#underWay.clear();
    this.#forgetApplied();
    this.propose();
  }

  /** Proposes as many revocations as fit into the window. */
  propose(): void {
    const room = windowMax - this.#underWay.size;
    if (room <= 0) return;
    for (const id of this.#parts.lessor.expired(room)) {
      this.#underWay.add(id);
      this.#movedMs = this.#parts.clock.now();
      const body = LeaseRevokeRequest.encode({ ID: id }).finish();
      this.#parts.propose(RequestField.leaseRevoke, body, () => {
        if (!this.#isTouched(id)) return true;
        this.#underWay.delete(id);
        return false;
      });
    }
    invariant(this.#underWay.size <= windowMax, "more leases end at a time than may", () => ({
      underWay: this.#underWay.size,
    }));
  }

  /**
   * True if an entry that is not applied yet ends this lease or grants its id anew: the known
   * deadline may then belong to another lease. If that entry has no effect, the lessor finds the
   * lease expired again.
   */
  #isTouched(id: bigint): boolean {
    const appliedIndex = this.#parts.appliedIndex();
    const lastIndex = this.#parts.lastIndex();
    // A leader's log only grows, so each entry is looked at once.
    if (this.#seenIndex < lastIndex) {
      for (const entry of this.#parts.entriesAfter(Math.max(this.#seenIndex, appliedIndex))) {
        const touched = touchedBy(entry);
        if (touched !== undefined) this.#touched.set(touched, entry.index);
      }
      this.#seenIndex = lastIndex;
    }
    const index = this.#touched.get(id);
    if (index === undefined || index > appliedIndex) return index !== undefined;
    this.#touched.delete(id);
    return false;
  }

  #forgetApplied(): void {
    const appliedIndex = this.#parts.appliedIndex();
    for (const [id, index] of this.#touched) if (index <= appliedIndex) this.#touched.delete(id);
  }
}

/** The lease that this entry grants or revokes. Undefined: it does neither. */
function touchedBy(entry: Entry): bigint | undefined {
  if (entry.type !== EntryType.normal || entry.data.length === 0) return undefined;
  const { field, body } = openRequest(entry.data);
  if (field === RequestField.leaseGrant) return LeaseGrantRequest.decode(body).ID;
  if (field === RequestField.leaseRevoke) return LeaseRevokeRequest.decode(body).ID;
  return undefined;
}
