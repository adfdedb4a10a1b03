/**
 * Leases at run time. It turns the leader's clock (lessor.ts) into proposals, and passes clients'
 * requests from other members on to the leader. Only the leader lets a lease expire, and it does so
 * through the log. The replicated state never looks at a clock.
 *
 * A renewal is a promise. A leader gives it only after a read barrier: it must have led after the
 * question was asked, and know every grant and revocation before it (etcd #13932, #15247).
 */

import type { Done } from "../base/done.js";
import { KvError } from "../base/errors.js";
import { PeerMethod } from "../peers/codec.js";
import type { LeaderQuestion } from "../peers/leader-requests.js";
import type { Peers } from "../peers/peers.js";
import type { Clock } from "../platform/clock.js";
import type { Rng } from "../platform/rng.js";
import type { Entry } from "../raft/types.js";
import type { Applied, LeaseReader } from "../state/types.js";
import {
  LeaseCheckpointRequest,
  LeaseGrantRequest,
  LeaseKeepAliveRequest,
  LeaseKeepAliveResponse,
  LeaseTimeToLiveRequest,
} from "../wire/gen/rpc.js";
import { type Proposal, RequestField } from "../wire/proposal.js";
import { noBytes } from "../wire/protobuf-writer.js";
import { decodeTimeToLive, encodeTimeToLive, type LeaseTimes } from "../wire/time-to-live.js";
import { LeaseExpiry } from "./expiry.js";
import { createLessor, type Lessor, minTtlSeconds } from "./lessor.js";

const expiryCheckMs = 500;
/** Bytes that a lease counts against the space quota, as in etcd. */
const grantGrowthBytes = 64;

export interface LeaseDriverParts {
  readonly clock: Clock;
  readonly rng: Rng;
  readonly electionTicks: number;
  readonly heartbeatMs: number;
  leases(): LeaseReader;
  isLeader(): boolean;
  /**
   * Proposes without waiting for an outcome. The proposal is dropped if this member does not lead
   * when raft takes it, or if `isRight` is false then.
   */
  proposeAsLeader(field: RequestField, body: Uint8Array, isRight?: () => boolean): void;
  /** The entries of this member's log behind `index`, which is an applied one or later. */
  entriesAfter(index: number): readonly Entry[];
  readBarrier(done: Done<void>): void;
  /** The keys of a lease, encoded as in LeaseTimes. `done` is called once. */
  listKeys(id: bigint, done: Done<Uint8Array>): void;
  /** The last index of this member's log, and the last one that it has applied. */
  lastIndex(): number;
  appliedIndex(): number;
  /** Asks whichever member leads, until one answers. */
  askLeader<T>(question: LeaderQuestion<T>, done: Done<T>): void;
}

export class LeaseDriver {
  readonly #parts: LeaseDriverParts;
  readonly #lessor: Lessor;
  readonly #expiry: LeaseExpiry;
  #nextCheckMs = 0;

  constructor(parts: LeaseDriverParts, peers: Peers) {
    this.#parts = parts;
    this.#lessor = createLessor({ clock: parts.clock, leases: () => parts.leases() });
    this.#expiry = new LeaseExpiry({
      clock: parts.clock,
      lessor: this.#lessor,
      propose: (field, body, isRight) => parts.proposeAsLeader(field, body, isRight),
      entriesAfter: (index) => parts.entriesAfter(index),
      lastIndex: () => parts.lastIndex(),
      appliedIndex: () => parts.appliedIndex(),
    });
    // A request is forwarded only once. A member that does not lead says so, and the asking member
    // looks for the leader again.
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
      const told: Done<LeaseTimes> = (result) =>
        done(result instanceof KvError ? result : encodeTimeToLive(result));
      this.#leading(() => this.#localTimeToLive(ID, keys, told), done);
    });
  }

  /** How many leases this member, as leader, has ended because their time was over. */
  get expired(): number {
    return this.#expiry.ended;
  }

  /** Call when the leader changed, with whether this member leads now. */
  leaderChanged(isLeader: boolean): void {
    this.#expiry.reset();
    if (isLeader) this.#lessor.promote(this.#parts.electionTicks * this.#parts.heartbeatMs);
    else this.#lessor.demote();
  }

  /** Keeps the leader's clock in step with the applied state. */
  applied(applied: Applied): void {
    const { outcome } = applied;
    this.#expiry.applied(applied);
    if (!(outcome instanceof KvError) && outcome.kind === "leaseGrant")
      this.#lessor.granted(outcome.id);
  }

  /** Call at each heartbeat. */
  tick(nowMs: number): void {
    if (!this.#parts.isLeader() || nowMs < this.#nextCheckMs) return;
    this.#nextCheckMs = nowMs + expiryCheckMs;
    this.#expiry.tick(nowMs);
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

  /**
   * `propose` puts the grant into the log, or refuses it. `ttl` in seconds; id 0n: any free id.
   */
  grant(
    wanted: { readonly id: bigint; readonly ttl: number },
    propose: (request: Proposal, done: Done<Applied>) => void,
    done: Done<{ readonly id: bigint; readonly ttl: number; readonly revision: number }>,
  ): void {
    const ttl = Math.max(
      wanted.ttl,
      minTtlSeconds(this.#parts.electionTicks, this.#parts.heartbeatMs),
    );
    const id = wanted.id === 0n ? this.#freshId() : wanted.id;
    const body = LeaseGrantRequest.encode({ ID: id, TTL: BigInt(ttl) }).finish();
    const request = { field: RequestField.leaseGrant, body, growthBytes: grantGrowthBytes };
    propose(request, (applied) => {
      if (applied instanceof KvError) done(applied);
      else if (applied.outcome instanceof KvError || applied.outcome.kind !== "leaseGrant") {
        done(applied.outcome instanceof KvError ? applied.outcome : new KvError("stopped"));
      } else done({ id, ttl: applied.outcome.ttl, revision: applied.revision });
    });
  }

  keepAlive(id: bigint, done: Done<{ readonly ttl: number }>): void {
    const question: LeaderQuestion<{ readonly ttl: number }> = {
      method: PeerMethod.leaseKeepAlive,
      here: (answer) => this.#leading(() => answer(this.#renew(id)), answer),
      encode: () => LeaseKeepAliveRequest.encode({ ID: id }).finish(),
      decode: (answer) => ({ ttl: Number(LeaseKeepAliveResponse.decode(answer).TTL) }),
    };
    this.#parts.askLeader(question, done);
  }

  timeToLive(id: bigint, withKeys: boolean, done: Done<LeaseTimes>): void {
    const question: LeaderQuestion<LeaseTimes> = {
      method: PeerMethod.leaseTimeToLive,
      here: (answer) => this.#leading(() => this.#localTimeToLive(id, withKeys, answer), answer),
      encode: () => LeaseTimeToLiveRequest.encode({ ID: id, keys: withKeys }).finish(),
      decode: decodeTimeToLive,
    };
    this.#parts.askLeader(question, done);
  }

  /**
   * An expired lease still exists until its revocation is applied. If the revocation is lost with
   * the leader, the lease stays. So there is no answer until one of the two has happened (as in
   * etcd).
   */
  #renew(id: bigint): { readonly ttl: number } | KvError {
    const ttl = this.#lessor.keepAlive(id);
    const isEnding = ttl === 0 && this.#parts.leases().get(id) !== undefined;
    return isEnding ? new KvError("timeout") : { ttl };
  }

  #localTimeToLive(id: bigint, withKeys: boolean, done: Done<LeaseTimes>): void {
    if (withKeys && this.#parts.leases().get(id) !== undefined) {
      this.#parts.listKeys(id, (keys) => {
        done(keys instanceof KvError ? keys : this.#timeLeft(id, keys));
      });
    } else done(this.#timeLeft(id, noBytes));
  }

  #timeLeft(id: bigint, keys: Uint8Array): LeaseTimes {
    const lease = this.#parts.leases().get(id);
    if (lease === undefined) return { ttl: -1, grantedTtl: 0, keys: noBytes };
    return { ttl: this.#lessor.remaining(id), grantedTtl: lease.grantedTtl, keys };
  }

  /**
   * Calls `here` if this member led after this call began, and has applied everything that was
   * committed before it.
   */
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

  /** A positive id of 63 bits that is not in use. */
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
