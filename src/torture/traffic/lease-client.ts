/**
 * A client that uses leases: it grants one, attaches keys of its own, renews it for a while, and
 * then revokes it or lets it end. The history tells whether the lease lived long enough
 * (judge/lease-promises.ts). At the end of the run the client asks whether it has ended at all.
 */
import type { OperationOutcome } from "../../verify/history/types.js";
import { encodeRequest } from "../../verify/sim/clients/client-calls.js";
import {
  LeaseKeepAliveRequest,
  LeaseKeepAliveResponse,
  LeaseTimeToLiveRequest,
  LeaseTimeToLiveResponse,
} from "../../wire/gen/rpc.js";
import { leasePrefix } from "../judge/lease-promises.js";
import { pauseFor } from "../pause.js";
import type { CallResult, Connection } from "../ports.js";
import type { ActorParts, TrafficActor } from "./actor.js";
import { outcomeOf } from "./kv-client.js";
import { RecordedCalls } from "./recorded-calls.js";

const timeoutMs = 3_000;
const ttlSeconds = [2, 4] as const;
const renewalsMax = 6;
const pauseMs = 100;
/**
 * Milliseconds after its time for which a lease of a calm cluster may still be there: a new leader
 * begins its time anew.
 */
const lateMs = 15_000;
const lease = "/etcdserverpb.Lease/";

export class LeaseClient implements TrafficActor {
  readonly #parts: ActorParts;
  readonly #calls: RecordedCalls;
  /**
   * Ids of leases that were granted, or perhaps granted, and that the client has not asked to
   * revoke.
   */
  readonly #left = new Set<string>();
  #granted = 0;
  #isOver = false;

  constructor(parts: ActorParts) {
    this.#parts = parts;
    this.#calls = new RecordedCalls(parts);
  }

  async run(): Promise<void> {
    while (!this.#isOver) {
      await this.#life();
      await pauseFor(this.#parts.clock, pauseMs);
    }
  }

  end(): void {
    this.#isOver = true;
  }

  /**
   * Call after `run`: waits until all leases are gone. Returns those that are still there too late.
   */
  async leftovers(): Promise<readonly string[]> {
    const { clock, rng } = this.#parts;
    const endMs = clock.now() + ttlSeconds[1] * 1_000 + lateMs;
    const left = new Set(this.#left);
    while (left.size > 0 && clock.now() < endMs) {
      const [, connection] = this.#calls.any();
      for (const id of left) {
        const request = LeaseTimeToLiveRequest.encode({ ID: BigInt(id), keys: false }).finish();
        const result = await connection.call(`${lease}LeaseTimeToLive`, request, timeoutMs);
        if (result.kind === "ok" && LeaseTimeToLiveResponse.decode(result.bytes).TTL < 0n) {
          left.delete(id);
        }
      }
      if (left.size > 0) await pauseFor(clock, 200 + rng.int(100));
    }
    this.#calls.close();
    return [...left].map(
      (id) => `lease ${id} is there ${lateMs / 1_000} s after its time, and nobody renewed it`,
    );
  }

  async #life(): Promise<void> {
    const { clock, rng, number } = this.#parts;
    const id = `${(number + 1) * 1_000_000 + ++this.#granted}`;
    const [least, most] = ttlSeconds;
    const ttl = least + rng.int(most - least + 1);
    this.#left.add(id);
    const granted = await this.#ask({ kind: "leaseGrant", id, ttl });
    if (granted.kind !== "ok") return;
    const key = `${leasePrefix}${id}`;
    await this.#ask({ kind: "put", key, value: `lease ${id}`, lease: id });
    const renewals = rng.int(renewalsMax);
    for (let at = 0; at < renewals && !this.#isOver; at++) {
      await pauseFor(clock, (ttl * 1_000) / 3);
      await this.#renew(id);
    }
    if (rng.int(3) === 0) return;
    if (rng.int(2) === 0) {
      // The client waits for the lease's end, and records what a renewal is told then.
      await pauseFor(clock, ttl * 1_000 + rng.int(1_500));
      await this.#renew(id);
      return;
    }
    const revoked = await this.#ask({ kind: "leaseRevoke", id });
    if (revoked.kind === "ok") this.#left.delete(id);
  }

  #ask(request: Parameters<typeof encodeRequest>[0]): Promise<OperationOutcome> {
    const [member, connection] = this.#calls.any();
    const { path, bytes } = encodeRequest(request);
    const call = () => connection.call(path, bytes, timeoutMs);
    return this.#calls.record(request, member, call, (result) => outcomeOf(request, result));
  }

  #renew(id: string): Promise<OperationOutcome> {
    const [member, connection] = this.#calls.any();
    const call = () => keepAlive(connection, id, this.#parts.clock);
    return this.#calls.record({ kind: "leaseKeepAlive", id }, member, call, (result) => {
      if (result.kind === "failed") return { kind: "unknown", error: result.text };
      const { header, TTL } = LeaseKeepAliveResponse.decode(result.bytes);
      const answer = { kind: "lease", id, ttl: Number(TTL) } as const;
      return { kind: "ok", revision: Number(header?.revision ?? 0n), answer };
    });
  }
}

/** Renews once, on a stream of its own. */
function keepAlive(
  connection: Connection,
  id: string,
  clock: ActorParts["clock"],
): Promise<CallResult> {
  return new Promise((resolve) => {
    const failed = (text: string): void =>
      resolve({ kind: "failed", code: 14, text, isUnsent: false });
    const stream = connection.stream(`${lease}LeaseKeepAlive`, {
      message: (bytes) => {
        resolve({ kind: "ok", bytes });
        stream.cancel();
      },
      ended: () => failed("the stream ended without an answer"),
    });
    stream.write(LeaseKeepAliveRequest.encode({ ID: BigInt(id) }).finish());
    clock.after(timeoutMs, () => {
      failed("no answer in time");
      stream.cancel();
    });
  });
}
