/**
 * Watching for tests: the events of a range from a revision on until a revision was seen, and a
 * watch stream as a queue of responses to take from.
 */
import type * as grpc from "@grpc/grpc-js";
import { complete } from "../../src/cli/ctl/method.js";
import * as rpc from "../../src/wire/gen/rpc.js";
import type { EtcdClient } from "./client.js";

export type CreateFields = Partial<rpc.WatchCreateRequest>;

export class Watcher {
  readonly stream: grpc.ClientDuplexStream<rpc.WatchRequest, rpc.WatchResponse>;
  readonly #responses: rpc.WatchResponse[] = [];
  #wake: (() => void) | undefined;
  #error: Error | undefined;
  #ended = false;

  constructor(client: EtcdClient) {
    this.stream = client.watchStream();
    this.stream.on("data", (response: rpc.WatchResponse) => {
      this.#responses.push(response);
      this.#wake?.();
    });
    this.stream.on("error", (error: Error) => {
      this.#error = error;
      this.#wake?.();
    });
    this.stream.on("end", () => {
      this.#ended = true;
      this.#wake?.();
    });
  }

  create(fields: CreateFields): void {
    const value = complete(rpc.WatchCreateRequest, fields);
    this.stream.write({ request_union: { $case: "create_request", value } });
  }
  cancel(watchId: bigint): void {
    const value = { watch_id: watchId };
    this.stream.write({ request_union: { $case: "cancel_request", value } });
  }
  requestProgress(): void {
    this.stream.write({ request_union: { $case: "progress_request", value: {} } });
  }

  /** The next response. Rejects when the stream failed or none comes within `timeoutMs`. */
  async next(timeoutMs = 15_000): Promise<rpc.WatchResponse> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const response = this.#responses.shift();
      if (response !== undefined) return response;
      if (this.#error !== undefined) throw this.#error;
      if (this.#ended) throw new Error("the watch stream has ended");
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`no watch response within ${timeoutMs} ms`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  close(): void {
    this.stream.on("error", () => undefined);
    this.stream.cancel();
  }
}

/** Every response with events up to one that holds `untilRevision`. */
export async function collectEvents(
  client: EtcdClient,
  options: CreateFields & { readonly untilRevision: number },
): Promise<rpc.WatchResponse[]> {
  const { untilRevision, ...fields } = options;
  const watcher = new Watcher(client);
  try {
    watcher.create(fields);
    const responses: rpc.WatchResponse[] = [];
    for (;;) {
      const response = await watcher.next();
      if (response.canceled) {
        throw new Error(
          `watch cancelled: ${response.cancel_reason} compacted ${response.compact_revision}`,
        );
      }
      if (response.events.length > 0) responses.push(response);
      const last = response.events.at(-1)?.kv?.mod_revision ?? 0n;
      if (last >= BigInt(untilRevision)) return responses;
    }
  } finally {
    watcher.close();
  }
}
