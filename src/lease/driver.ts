/**
 * Leases at run time: the leader's clock (lessor.ts) turned into proposals, and requests of clients
 * at other members passed on to it. Only the leader lets a lease expire, and it does so through the
 * log; what stands in the state machine never looks at a clock.
 *
 * A renewal is a promise: it is given only after a read barrier, by a leader that led after the
 * question was asked and knows every grant and revocation before it (etcd #13932, #15247).
 */

import type { Done } from "../base/done.js";
import { KvError } from "../base/errors.js";
import { PeerMethod } from "../peers/codec.js";
import type { Peers } from "../peers/peers.js";
import type { Clock } from "../platform/clock.js";
import type { Rng } from "../platform/rng.js";
import { type Entry, EntryType } from "../raft/types.js";
import type { Applied, LeaseReader } from "../state/types.js";
import {
  LeaseCheckpointRequest,
  LeaseGrantRequest,
  LeaseKeepAliveRequest,
  LeaseKeepAliveResponse,
  LeaseRevokeRequest,
  LeaseTimeToLiveRequest,
  LeaseTimeToLiveResponse,
} from "../wire/gen/rpc.js";
import { openRequest } from "../wire/internal-request.js";
import { type Proposal, RequestField } from "../wire/proposal.js";
import { createLessor, type Lessor, minTtlSeconds } from "./lessor.js";

const expiryCheckMs = 500;
/** No leader just now: look again, until the request's time is over. */
const leaderRetryMs = 50;
/** What a lease counts against the space quota, as in etcd. */
const grantGrowthBytes = 64;

export interface TimeToLive {
  readonly ttl: number;
  readonly grantedTtl: number;
  readonly keys: readonly Uint8Array[];
}

export interface LeaseDriverParts {
  readonly clock: Clock;
  readonly rng: Rng;
  readonly electionTicks: number;
  readonly heartbeatMs: number;
  readonly timeoutMs: number;
  leases(): LeaseReader;
  leader(): bigint;
  isLeader(): boolean;
  propose(request: Proposal, done: Done<Applied>): void;
  /** Without an answer; void if we do not lead when raft takes it. */
  proposeAsLeader(field: RequestField, body: Uint8Array, isRight?: () => boolean): void;
  /** The end of our log that is not applied yet. */
  unapplied(): readonly Entry[];
  readBarrier(done: Done<void>): void;
  /** The end of our log, and how far it is applied here. */
  lastIndex(): number;
  appliedIndex(): number;
  request(to: bigint, method: PeerMethod, body: Uint8Array, done: Done<Uint8Array>): void;
}

export class LeaseDriver {
  readonly #parts: LeaseDriverParts;
  readonly #lessor: Lessor;
  #nextCheckMs = 0;
  /** Revocations were handed out since the last check. */
  #isProposing = false;
  /** They and all else that was in the log then must be applied before the next ones. */
  #holdUntil = 0;
  expired = 0;

  constructor(parts: LeaseDriverParts, peers: Peers) {
    this.#parts = parts;
    this.#lessor = createLessor({ clock: parts.clock, leases: () => parts.leases() });
    // A request is passed on once: who does not lead says so, and the asking member looks again.
    peers.serve(PeerMethod.leaseKeepAlive, (_from, body, done) => {
      const { ID } = LeaseKeepAliveRequest.decode(body);
      this.#leading(() => {
        const renewed = this.#renew(ID);
        done(renewed instanceof KvError ? renewed : encodeKeepAlive(renewed.ttl));
      }, done);
    });
    peers.serve(PeerMethod.leaseTimeToLive, (_from, body, done) => {
      const request = LeaseTimeToLiveRequest.decode(body);
      const { ID, keys } = request;
      this.#leading(() => done(encodeTimeToLive(this.#localTimeToLive(ID, keys))), done);
    });
  }

  /** The leader changed, maybe to us or from us. */
  leaderChanged(isLeader: boolean): void {
    this.#holdUntil = 0;
    if (isLeader) this.#lessor.promote(this.#parts.electionTicks * this.#parts.heartbeatMs);
    else this.#lessor.demote();
  }

  /** Keeps the leader's clock in step with what was applied. */
  applied(applied: Applied): void {
    const { outcome } = applied;
    if (outcome instanceof KvError) return;
    if (outcome.kind === "leaseGrant") this.#lessor.granted(outcome.id);
  }

  /** A heartbeat passed. */
  tick(nowMs: number): void {
    if (!this.#parts.isLeader() || nowMs < this.#nextCheckMs) return;
    this.#nextCheckMs = nowMs + expiryCheckMs;
    if (this.#isProposing) this.#holdUntil = this.#parts.lastIndex();
    this.#isProposing = false;
    // A second revocation behind the first one could end the next lease of the same id.
    if (this.#parts.appliedIndex() < this.#holdUntil) return;
    for (const id of this.#lessor.expired()) {
      this.expired++;
      this.#isProposing = true;
      const body = LeaseRevokeRequest.encode({ ID: id }).finish();
      this.#parts.proposeAsLeader(RequestField.leaseRevoke, body, () => !this.#isTouched(id));
    }
    const checkpoints = this.#lessor.checkpointsDue();
    if (checkpoints.length === 0) return;
    const body = LeaseCheckpointRequest.encode({
      checkpoints: checkpoints.map((lease) => ({
        ID: lease.id,
        remaining_TTL: BigInt(lease.remainingTtl),
      })),
    }).finish();
    this.#parts.proposeAsLeader(RequestField.leaseCheckpoint, body);
  }

  grant(
    wantedId: bigint,
    wantedTtl: number,
    done: Done<{ readonly id: bigint; readonly ttl: number; readonly revision: number }>,
  ): void {
    const ttl = Math.max(
      wantedTtl,
      minTtlSeconds(this.#parts.electionTicks, this.#parts.heartbeatMs),
    );
    const id = wantedId === 0n ? this.#freshId() : wantedId;
    const body = LeaseGrantRequest.encode({ ID: id, TTL: BigInt(ttl) }).finish();
    const request = { field: RequestField.leaseGrant, body, growthBytes: grantGrowthBytes };
    this.#parts.propose(request, (applied) => {
      if (applied instanceof KvError) done(applied);
      else if (applied.outcome instanceof KvError || applied.outcome.kind !== "leaseGrant") {
        done(applied.outcome instanceof KvError ? applied.outcome : new KvError("stopped"));
      } else done({ id, ttl: applied.outcome.ttl, revision: applied.revision });
    });
  }

  keepAlive(id: bigint, done: Done<{ readonly ttl: number }>): void {
    const body = (): Uint8Array => LeaseKeepAliveRequest.encode({ ID: id }).finish();
    this.#atLeader(
      (again) => {
        const renewed = this.#renew(id);
        if (renewed instanceof KvError) again(renewed);
        else done(renewed);
      },
      (leader, failed) => {
        this.#parts.request(leader, PeerMethod.leaseKeepAlive, body(), (answer) => {
          if (answer instanceof KvError) failed(answer);
          else done({ ttl: Number(LeaseKeepAliveResponse.decode(answer).TTL) });
        });
      },
      done,
    );
  }

  timeToLive(id: bigint, withKeys: boolean, done: Done<TimeToLive>): void {
    const body = (): Uint8Array =>
      LeaseTimeToLiveRequest.encode({ ID: id, keys: withKeys }).finish();
    this.#atLeader(
      () => done(this.#localTimeToLive(id, withKeys)),
      (leader, failed) => {
        this.#parts.request(leader, PeerMethod.leaseTimeToLive, body(), (answer) => {
          if (answer instanceof KvError) failed(answer);
          else done(decodeTimeToLive(answer));
        });
      },
      done,
    );
  }

  /**
   * A lease whose time is over is still there until its revocation is applied, and stays if that is
   * lost with the leader: until one or the other has happened there is no answer (as in etcd).
   */
  #renew(id: bigint): { readonly ttl: number } | KvError {
    const ttl = this.#lessor.keepAlive(id);
    const isEnding = ttl === 0 && this.#parts.leases().get(id) !== undefined;
    return isEnding ? new KvError("timeout") : { ttl };
  }

  #localTimeToLive(id: bigint, withKeys: boolean): TimeToLive {
    const lease = this.#parts.leases().get(id);
    if (lease === undefined) return { ttl: -1, grantedTtl: 0, keys: [] };
    const keys = withKeys ? this.#parts.leases().keys(id) : [];
    return { ttl: this.#lessor.remaining(id), grantedTtl: lease.grantedTtl, keys };
  }

  /** Calls `here` if we led after this call began, with all applied that was committed before it. */
  #leading(here: () => void, fail: (error: KvError) => void): void {
    const refuse = (): void => fail(new KvError("notLeader"));
    if (!this.#parts.isLeader()) {
      refuse();
      return;
    }
    this.#parts.readBarrier((error) => {
      if (error !== undefined) fail(error);
      else if (this.#parts.isLeader()) here();
      else refuse();
    });
  }

  /** Here if we lead, else at the leader; waits a while for one to be elected. */
  #atLeader(
    here: (again: (error: KvError) => void) => void,
    there: (leader: bigint, failed: (error: KvError) => void) => void,
    fail: (error: KvError) => void,
  ): void {
    const { clock, timeoutMs } = this.#parts;
    const untilMs = clock.now() + timeoutMs;
    const attempt = (): void => {
      const leader = this.#parts.leader();
      const again = (error: KvError): void => {
        // Who was asked may have ceased to lead: a member that does not lead says so.
        if (clock.now() >= untilMs || error.reason === "stopped") fail(error);
        else clock.after(leaderRetryMs, attempt);
      };
      if (this.#parts.isLeader()) this.#leading(() => here(again), again);
      else if (leader === 0n) again(new KvError("noLeader"));
      else there(leader, again);
    };
    attempt();
  }

  /**
   * Something that we have not applied ends this lease or grants its id anew: what we know of its
   * time is about another one. If it is not so after all, the next check finds it expired again.
   */
  #isTouched(id: bigint): boolean {
    return this.#parts.unapplied().some((entry) => {
      if (entry.type !== EntryType.normal || entry.data.length === 0) return false;
      const { field, body } = openRequest(entry.data);
      if (field === RequestField.leaseGrant) return LeaseGrantRequest.decode(body).ID === id;
      return field === RequestField.leaseRevoke && LeaseRevokeRequest.decode(body).ID === id;
    });
  }

  /** Positive, 63 bits, not in use. */
  #freshId(): bigint {
    for (;;) {
      const high = BigInt(this.#parts.rng.int(0x7fff_ffff));
      const id = (high << 32n) | BigInt(this.#parts.rng.int(0x1_0000_0000));
      if (id !== 0n && this.#parts.leases().get(id) === undefined) return id;
    }
  }
}

function encodeKeepAlive(ttl: number): Uint8Array {
  return LeaseKeepAliveResponse.encode({ header: undefined, ID: 0n, TTL: BigInt(ttl) }).finish();
}

function encodeTimeToLive(result: TimeToLive): Uint8Array {
  return LeaseTimeToLiveResponse.encode({
    header: undefined,
    ID: 0n,
    TTL: BigInt(result.ttl),
    grantedTTL: BigInt(result.grantedTtl),
    keys: result.keys.map((key) => Buffer.from(key)),
  }).finish();
}

function decodeTimeToLive(bytes: Uint8Array): TimeToLive {
  const response = LeaseTimeToLiveResponse.decode(bytes);
  return {
    ttl: Number(response.TTL),
    grantedTtl: Number(response.grantedTTL),
    keys: response.keys,
  };
}
