/**
 * Sends what operators and their scripts ask for beside the traffic: compaction, defragmentation,
 * snapshots and hashes, at any member. The judge looks only at compactions; the other requests must
 * harm nothing.
 */

import type { OperationOutcome, Request } from "../../verify/history/types.js";
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
  readonly #connections: readonly (readonly [string, Connection])[];
  #isOver = false;

  constructor(parts: ActorParts) {
    this.#parts = parts;
    const { stage } = parts;
    this.#connections = stage.members.map((member) => [member, stage.connect(member)] as const);
  }

  async run(): Promise<void> {
    const { clock, rng } = this.#parts;
    const [least, most] = betweenMs;
    while (!this.#isOver) {
      await pauseFor(clock, least + rng.int(most - least));
      const place = rng.int(this.#connections.length);
      await this.#act(this.#connections[place] as readonly [string, Connection]);
    }
    for (const [, connection] of this.#connections) connection.close();
  }

  end(): void {
    this.#isOver = true;
  }

  async #act([member, connection]: readonly [string, Connection]): Promise<void> {
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
    await this.#recorded(request, member, async () => {
      const result = await connection.call(path, bytes, timeoutMs);
      return outcomeOf(request, result);
    });
  }

  async #plain(member: string, connection: Connection, name: "Defragment" | "HashKV") {
    const bytes =
      name === "Defragment"
        ? DefragmentRequest.encode({}).finish()
        : HashKVRequest.encode({ revision: 0n }).finish();
    await this.#recorded({ kind: "other", name }, member, async () => {
      const result = await connection.call(`${maintenance}${name}`, bytes, timeoutMs);
      if (result.kind === "failed") return { kind: "unknown", error: result.text };
      return { kind: "ok", revision: 0, answer: { kind: "none" } };
    });
  }

  /** Reads a snapshot to its end and drops its content. */
  #snapshot(member: string, connection: Connection): Promise<void> {
    return this.#recorded({ kind: "other", name: "Snapshot" }, member, () => {
      return new Promise((resolve) => {
        let bytes = 0;
        const ended = (): void =>
          resolve(
            bytes === 0
              ? { kind: "unknown", error: "no snapshot came" }
              : { kind: "ok", revision: 0, answer: { kind: "none" } },
          );
        const stream = connection.stream(`${maintenance}Snapshot`, {
          message: (message) => {
            bytes += message.length;
          },
          ended,
        });
        stream.write(SnapshotRequest.encode({}).finish());
        stream.finish();
        this.#parts.clock.after(timeoutMs, () => stream.cancel());
      });
    });
  }

  async #recorded(
    request: Request,
    member: string,
    call: () => Promise<OperationOutcome>,
  ): Promise<void> {
    const { recorder, number } = this.#parts;
    const id = recorder.nextId();
    const callUs = recorder.nowUs();
    const outcome = await call();
    const returnUs = recorder.nowUs();
    recorder.operation({ id, client: number, member, callUs, returnUs, request, outcome });
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
