/**
 * Streams of many watchers that are broken and resumed while events pass, and what each watcher
 * saw. A watcher's events must be exactly those written to its range: in order, none missing, none
 * twice, whatever resumptions happened between.
 */
import type { WatchResponse } from "../../src/wire/gen/rpc.js";
import type { EtcdClient } from "../support/client.js";
import { type CreateFields, Watcher } from "../support/watcher.js";

export interface SeenEvent {
  readonly key: string;
  readonly revision: number;
  readonly value: string;
}

export interface Watched {
  readonly range: { readonly key: Buffer; readonly range_end?: Buffer };
  readonly seen: SeenEvent[];
  /** Revision from which a resumed watch continues. */
  nextRevision: number;
}

/** One stream; `resume` breaks it off and goes on with a new one where each watcher stood. */
export class AuditedStream {
  readonly watched: readonly Watched[];
  resumptions = 0;
  readonly #client: EtcdClient;
  readonly #onEvents: () => void;
  #watcher: Watcher | undefined;
  #failure: Error | undefined;

  constructor(client: EtcdClient, watched: readonly Watched[], onEvents: () => void) {
    this.#client = client;
    this.watched = watched;
    this.#onEvents = onEvents;
  }

  open(): void {
    const watcher = new Watcher(this.#client);
    this.#watcher = watcher;
    this.watched.forEach(({ range, nextRevision }, at) => {
      const fields: CreateFields = { ...range, start_revision: BigInt(nextRevision) };
      watcher.create({ ...fields, watch_id: BigInt(at + 1) });
    });
    watcher.stream.removeAllListeners("data");
    watcher.stream.on("data", (response: WatchResponse) => {
      if (this.#watcher === watcher) this.#take(response);
    });
    watcher.stream.on("error", (error: Error) => {
      if (this.#watcher === watcher) this.#fail(error);
    });
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#onEvents();
  }

  #take(response: WatchResponse): void {
    const watched = this.watched[Number(response.watch_id) - 1];
    if (watched === undefined || response.canceled) {
      this.#fail(new Error(`watch ${response.watch_id} ended: ${response.cancel_reason}`));
      return;
    }
    if (response.events.length === 0) return;
    for (const { kv } of response.events) {
      if (kv === undefined) continue;
      const revision = Number(kv.mod_revision);
      watched.seen.push({ key: String(kv.key), revision, value: String(kv.value) });
      watched.nextRevision = revision + 1;
    }
    this.#onEvents();
  }

  resume(): void {
    this.resumptions++;
    this.close();
    this.open();
  }
  close(): void {
    const watcher = this.#watcher;
    this.#watcher = undefined;
    watcher?.close();
  }

  /** @throws when the stream failed. */
  eventsSeen(): number {
    if (this.#failure !== undefined) throw this.#failure;
    return this.watched.reduce((sum, { seen }) => sum + seen.length, 0);
  }
}
