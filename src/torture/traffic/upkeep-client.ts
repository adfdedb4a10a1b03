/**
 * Sends what operators and their scripts ask for beside the traffic: compaction, defragmentation,
 * snapshots and hashes, at any member. The judge looks only at compactions; the other requests must
 * harm nothing.
 */

import { encodeRequest } from "../../verify/sim/clients/client-calls.js";
import {
  DefragmentRequest,
  HashKVRequest,
  RangeRequest,
  RangeResponse,
  SnapshotRequest,
} from "../../wire/gen/rpc.js";
import { pauseFor } from "../pause.js";
import type { Connection } from "../ports.js";
import type { ActorParts, TrafficActor } from "./actor.js";
import { first } from "./draw-request.js";
import { outcomeOf } from "./kv-client.js";
import { type ConnectedMember, RecordedCalls } from "./recorded-calls.js";

const timeoutMs = 10_000;
const betweenMs = [200, 1_200] as const;
/**
 * How many revisions behind the newest one a compaction is. A negative number lies in the future,
 * and is refused.
 */
const behind = [0, 0, 5, 50, -3] as const;
const maintenance = "/etcdserverpb.Maintenance/";

export class UpkeepClient implements TrafficActor {
  readonly #parts: ActorParts;
  readonly #calls: RecordedCalls;
  #isOver = false;

  constructor(parts: ActorParts) {
    this.#parts = parts;
    this.#calls = new RecordedCalls(parts);
  }

  async run(): Promise<void> {
    const { clock, rng } = this.#parts;
    const [least, most] = betweenMs;
    while (!this.#isOver) {
      await pauseFor(clock, least + rng.int(most - least));
      await this.#act(this.#calls.any());
    }
    this.#calls.close();
  }

  end(): void {
    this.#isOver = true;
  }

  async #act([member, connection]: ConnectedMember): Promise<void> {
    const drawn = this.#parts.rng.int(10);
    if (drawn < 5) await this.#compact(member, connection);
    else if (drawn < 7) await this.#plain(member, connection, "Defragment");
    else if (drawn < 9) await this.#plain(member, connection, "HashKV");
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

  async #plain(member: string, connection: Connection, name: "Defragment" | "HashKV") {
    const bytes =
      name === "Defragment"
        ? DefragmentRequest.encode({}).finish()
        : HashKVRequest.encode({ revision: 0n }).finish();
    const call = () => connection.call(`${maintenance}${name}`, bytes, timeoutMs);
    await this.#calls.record({ kind: "other", name }, member, call, (result) => {
      if (result.kind === "failed") return { kind: "unknown", error: result.text };
      return { kind: "ok", revision: 0, answer: { kind: "none" } };
    });
  }

  async #snapshot(member: string, connection: Connection): Promise<void> {
    const call = () => this.#readSnapshot(connection);
    await this.#calls.record({ kind: "other", name: "Snapshot" }, member, call, (bytes) =>
      bytes === 0
        ? { kind: "unknown", error: "no snapshot came" }
        : { kind: "ok", revision: 0, answer: { kind: "none" } },
    );
  }

  /** Reads a snapshot to its end, and drops its content. Resolves to the number of bytes read. */
  #readSnapshot(connection: Connection): Promise<number> {
    return new Promise((resolve) => {
      let bytes = 0;
      const stream = connection.stream(`${maintenance}Snapshot`, {
        message: (message) => {
          bytes += message.length;
        },
        ended: () => resolve(bytes),
      });
      stream.write(SnapshotRequest.encode({}).finish());
      stream.finish();
      this.#parts.clock.after(timeoutMs, () => stream.cancel());
    });
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
