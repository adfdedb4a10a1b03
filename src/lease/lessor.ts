/**
 * The leader's clock for leases (etcd's lessor, the part that is not replicated). Only the leader
 * counts time. It says which leases to propose for revocation, and which remaining times to
 * replicate, so that the next leader need not start from the full TTL.
 *
 * Deadlines exist only while this member leads, and are never replicated. `leases` alone decides
 * whether a lease exists: the lessor works without hearing of revocations, and never ends a lease
 * itself.
 */
import { invariant } from "../base/invariant.js";
import type { Clock } from "../platform/clock.js";
import type { LeaseReader } from "../state/types.js";
import { LeaseQueue } from "./queue.js";

/**
 * Milliseconds after which an expired lease that still exists is returned again: the first proposal
 * may be lost with its leader.
 */
const revokeRetryMs = 3_000;
const checkpointIntervalMs = 5 * 60_000;
const checkpointsMax = 1_000;

export interface LeaseCheckpointDue {
  readonly id: bigint;
  /** Seconds, rounded up. With 0 the next leader counts the full TTL again. */
  readonly remainingTtl: number;
}

export interface Lessor {
  /**
   * Call when this member starts to lead. Every lease gets its full TTL (or its last replicated
   * remaining time) plus `extendMs`, from now on.
   */
  promote(extendMs: number): void;
  /** Call when this member no longer leads. Forgets all deadlines. */
  demote(): void;
  /** Call when a grant was applied. */
  granted(id: bigint): void;
  /** Call when a revocation was applied. Not needed for correctness; frees memory early. */
  revoked(id: bigint): void;
  /** At the leader: renews a lease and returns its TTL in seconds. 0: unknown or expired. */
  keepAlive(id: bigint): number;
  /** Seconds left, rounded down; 0 once expired. -1: unknown, or this member does not lead. */
  remaining(id: bigint): number;
  /** Leases to revoke now, earliest deadline first. At most `max`; the next call gives more. */
  expired(max: number): readonly bigint[];
  /** Remaining times to replicate now; at most 1,000. */
  checkpointsDue(): readonly LeaseCheckpointDue[];
}

export interface LessorParts {
  readonly clock: Clock;
  /** The applied leases. The lessor asks each time, because a snapshot may replace them. */
  leases(): LeaseReader;
}

/** etcd's lower limit of a TTL: one and a half election timeouts, in whole seconds. */
export function minTtlSeconds(electionTicks: number, heartbeatMs: number): number {
  return Math.ceil((Math.trunc((3 * electionTicks) / 2) * heartbeatMs) / 1000);
}

export function createLessor(parts: LessorParts): Lessor {
  return new LeaderClock(parts);
}

class LeaderClock implements Lessor {
  readonly #clock: Clock;
  readonly #leases: () => LeaseReader;
  /** Milliseconds of the clock, by lease. Filled only while this member leads. */
  readonly #deadlines = new Map<bigint, number>();
  readonly #expiries = new LeaseQueue();
  readonly #checkpoints = new LeaseQueue();
  /**
   * Leases renewed since their remaining time was replicated: a later leader must not use that
   * time.
   */
  readonly #renewed = new Set<bigint>();
  #isLeader = false;

  constructor({ clock, leases }: LessorParts) {
    this.#clock = clock;
    this.#leases = leases;
  }

  promote(extendMs: number): void {
    this.demote();
    this.#isLeader = true;
    const nowMs = this.#clock.now();
    const started: { readonly id: bigint; readonly dueMs: number }[] = [];
    for (const { id, grantedTtl, remainingTtl } of this.#leases().all()) {
      const ttl = remainingTtl > 0 ? remainingTtl : grantedTtl;
      started.push({ id, dueMs: nowMs + ttl * 1000 + extendMs });
    }
    started.sort((a, b) => a.dueMs - b.dueMs);
    for (const { id, dueMs } of started) this.#start(id, dueMs);
  }

  demote(): void {
    this.#isLeader = false;
    this.#deadlines.clear();
    this.#expiries.clear();
    this.#checkpoints.clear();
    this.#renewed.clear();
  }

  granted(id: bigint): void {
    const lease = this.#leases().get(id);
    if (!this.#isLeader || lease === undefined) return;
    // The id may have belonged to an earlier lease, whose renewal does not count for this one.
    this.#forget(id);
    this.#start(id, this.#clock.now() + lease.grantedTtl * 1000);
  }

  revoked(id: bigint): void {
    this.#forget(id);
  }

  keepAlive(id: bigint): number {
    const dueMs = this.#deadlines.get(id);
    if (dueMs === undefined) return 0;
    invariant(this.#isLeader, "only the leader renews leases", () => ({ id }));
    const lease = this.#leases().get(id);
    if (lease === undefined) {
      this.#forget(id);
      return 0;
    }
    const nowMs = this.#clock.now();
    // The revocation may be in the log already, so the leader could not keep the promise.
    if (dueMs <= nowMs) return 0;
    const renewedMs = nowMs + lease.grantedTtl * 1000;
    this.#deadlines.set(id, renewedMs);
    // The deadline became earlier, so the existing reminder would come too late.
    if (renewedMs < dueMs) this.#expiries.push(id, renewedMs);
    if (lease.remainingTtl > 0) this.#renewed.add(id);
    return lease.grantedTtl;
  }

  remaining(id: bigint): number {
    const dueMs = this.#deadlines.get(id);
    if (dueMs === undefined || this.#leases().get(id) === undefined) return -1;
    return Math.max(0, Math.floor((dueMs - this.#clock.now()) / 1000));
  }

  expired(max: number): readonly bigint[] {
    const nowMs = this.#clock.now();
    const ids = new Set<bigint>();
    while (ids.size < max) {
      const id = this.#expiries.takeDue(nowMs);
      if (id === undefined) break;
      const dueMs = this.#known(id);
      if (dueMs === undefined) continue;
      if (dueMs > nowMs) {
        this.#expiries.push(id, dueMs);
      } else if (!ids.has(id)) {
        ids.add(id);
        this.#expiries.push(id, nowMs + revokeRetryMs);
      }
    }
    return [...ids];
  }

  checkpointsDue(): readonly LeaseCheckpointDue[] {
    const nowMs = this.#clock.now();
    const due: LeaseCheckpointDue[] = [];
    for (const id of this.#renewed) {
      if (due.length === checkpointsMax) return due;
      this.#renewed.delete(id);
      if (this.#known(id) !== undefined) due.push({ id, remainingTtl: 0 });
    }
    while (due.length < checkpointsMax) {
      const id = this.#checkpoints.takeDue(nowMs);
      if (id === undefined) break;
      const dueMs = this.#known(id);
      if (dueMs === undefined) continue;
      this.#remindOfCheckpoint(id, dueMs);
      const remainingTtl = Math.ceil((dueMs - nowMs) / 1000);
      const lease = this.#leases().get(id);
      if (remainingTtl > 0 && lease !== undefined && remainingTtl < lease.grantedTtl) {
        due.push({ id, remainingTtl });
      }
    }
    return due;
  }

  #start(id: bigint, dueMs: number): void {
    invariant(this.#isLeader, "only the leader times leases", () => ({ id }));
    invariant(Number.isFinite(dueMs), "a lease ends at a time", () => ({ id, dueMs }));
    const isNew = !this.#deadlines.has(id);
    this.#deadlines.set(id, dueMs);
    this.#expiries.push(id, dueMs);
    if (isNew) this.#remindOfCheckpoint(id, dueMs);
  }

  /**
   * Reminds of the next replication of a remaining time. Short leases are not worth an entry in the
   * log.
   */
  #remindOfCheckpoint(id: bigint, dueMs: number): void {
    const nextMs = this.#clock.now() + checkpointIntervalMs;
    if (dueMs > nextMs) this.#checkpoints.push(id, nextMs);
  }

  /**
   * The deadline of a lease, in milliseconds of the clock. Undefined: the lease is gone, or this
   * member does not lead.
   */
  #known(id: bigint): number | undefined {
    const dueMs = this.#deadlines.get(id);
    if (dueMs === undefined || this.#leases().get(id) !== undefined) return dueMs;
    this.#forget(id);
    return undefined;
  }

  #forget(id: bigint): void {
    this.#deadlines.delete(id);
    this.#renewed.delete(id);
  }
}
