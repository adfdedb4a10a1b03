/**
 * Sends what operators and their scripts ask for beside the traffic: compaction, defragmentation,
 * snapshots and hashes, at any member. Some snapshots are read slowly while the same member is
 * defragmented.
 */

import type { Hash } from "../../platform/hash.js";
import { encodeRequest } from "../../verify/sim/clients/client-calls.js";
import {
  DefragmentRequest,
  HashKVRequest,
  HashRequest,
  RangeRequest,
  RangeResponse,
} from "../../wire/gen/rpc.js";
import { pauseFor } from "../pause.js";
import type { Connection } from "../ports.js";
import type { ActorParts, TrafficActor } from "./actor.js";
import { first } from "./draw-request.js";
import { outcomeOf } from "./kv-client.js";
import { type ConnectedMember, RecordedCalls } from "./recorded-calls.js";
import { lateText, readSnapshot } from "./snapshot-read.js";

const timeoutMs = 10_000;
const betweenMs = [200, 1_200] as const;
/**
 * How many revisions behind the newest one a compaction is. A negative number lies in the future,
 * and is refused.
 */
const behind = [0, 0, 5, 50, -3] as const;
const maintenance = "/etcdserverpb.Maintenance/";
/** For how long a slow reader of a snapshot takes nothing after the first piece. */
const slowMs = [200, 1_500] as const;
/** The requests that a client makes beside a snapshot have the number of another client. */
const besideNumbers = 50;
const deadlineExceeded = 4;

const plainRequests = {
  Defragment: DefragmentRequest.encode({}).finish(),
  Hash: HashRequest.encode({}).finish(),
  HashKV: HashKVRequest.encode({ revision: 0n }).finish(),
} as const;

export interface UpkeepClientParts extends ActorParts {
  readonly createSha256: Hash["createSha256"];
}

export class UpkeepClient implements TrafficActor {
  readonly #parts: UpkeepClientParts;
  readonly #calls: RecordedCalls;
  readonly #beside: RecordedCalls;
  #isOver = false;

  constructor(parts: UpkeepClientParts) {
    this.#parts = parts;
    this.#calls = new RecordedCalls(parts);
    this.#beside = new RecordedCalls({ ...parts, number: parts.number + besideNumbers });
  }

  async run(): Promise<void> {
    const { clock, rng } = this.#parts;
    const [least, most] = betweenMs;
    while (!this.#isOver) {
      await pauseFor(clock, least + rng.int(most - least));
      await this.#act(this.#calls.any());
    }
    this.#calls.close();
    this.#beside.close();
  }

  end(): void {
    this.#isOver = true;
  }

  async #act([member, connection]: ConnectedMember): Promise<void> {
    const drawn = this.#parts.rng.int(11);
    if (drawn < 5) await this.#compact(member, connection);
    else if (drawn < 6) await this.#plain([member, connection], "Defragment");
    else if (drawn < 8) await this.#plain([member, connection], "HashKV");
    else if (drawn < 9) await this.#plain([member, connection], "Hash");
    else await this.#snapshot(member, connection);
  }

  /** Compacts, sometimes at the newest revision, sometimes at one that is gone or in the future. */
  async #compact(member: string, connection: Connection): Promise<void> {
    const { rng } = this.#parts;
    const newest = await newestRevision(connection);
    if (newest === undefined) return;
    const revision = Math.max(1, newest - (behind[rng.int(behind.length)] as number));
    const request = { kind: "compact", revision } as const;
    const { path, bytes } = encodeRequest(request);
    const call = () => connection.call(path, bytes, timeoutMs);
    await this.#calls.record(request, member, call, (result) => outcomeOf(request, result));
  }

  async #plain(
    [member, connection]: ConnectedMember,
    name: keyof typeof plainRequests,
    calls = this.#calls,
  ): Promise<void> {
    const call = () => connection.call(`${maintenance}${name}`, plainRequests[name], timeoutMs);
    await calls.record({ kind: "other", name }, member, call, (result) => {
      if (result.kind === "ok") return { kind: "ok", revision: 0, answer: { kind: "none" } };
      const isLate = result.code === deadlineExceeded;
      const error = isLate ? `${lateText}${timeoutMs / 1_000} s` : result.text;
      return { kind: "unknown", error };
    });
  }

  /** Takes a snapshot; every other one slowly, while the member is defragmented. */
  async #snapshot(member: string, connection: Connection): Promise<void> {
    const { clock, rng, createSha256 } = this.#parts;
    const [least, most] = slowMs;
    const pauseMs = rng.int(2) * (least + rng.int(most - least));
    let beside: Promise<void> | undefined;
    const begun = (): void => {
      const other = pauseMs === 0 ? undefined : this.#beside.to(member);
      if (other !== undefined) beside = this.#plain([member, other], "Defragment", this.#beside);
    };
    const call = () => readSnapshot(connection, { clock, createSha256, timeoutMs, pauseMs, begun });
    await this.#calls.record({ kind: "other", name: "Snapshot" }, member, call, (problem) =>
      problem === undefined
        ? { kind: "ok", revision: 0, answer: { kind: "none" } }
        : { kind: "unknown", error: problem },
    );
    await beside;
  }
}

async function newestRevision(connection: Connection): Promise<number | undefined> {
  const request = RangeRequest.encode({
    ...RangeRequest.decode(new Uint8Array(0)),
    ...{ key: Buffer.from(first), count_only: true, serializable: true },
  }).finish();
  const result = await connection.call("/etcdserverpb.KV/Range", request, timeoutMs);
  if (result.kind === "failed") return undefined;
  return Number(RangeResponse.decode(result.bytes).header?.revision);
}
