/** Short calls for what the reproductions of historical issues do with a cluster. */
import type { Clock } from "../../platform/clock.js";
import type { OperationAnswer, Request, WatchEvent } from "../../verify/history/types.js";
import { decodeAnswer, encodeRequest } from "../../verify/sim/clients/client-calls.js";
import {
  eventOf,
  watchCreateRequest,
  watchProgressRequest,
} from "../../verify/sim/clients/watch-calls.js";
import {
  HashKVRequest,
  HashKVResponse,
  StatusResponse,
  WatchResponse,
} from "../../wire/gen/rpc.js";
import { pauseFor } from "../pause.js";
import type { Connection, Stage } from "../ports.js";

const callMs = 10_000;
type Unary = Parameters<typeof encodeRequest>[0];

/** An error answer of a member, with its text. */
export class Refused extends Error {}

/** One answer of a watch. `compactRevision` 0: the watch was not cancelled for a compaction. */
export interface SeenResponse {
  readonly revision: number;
  readonly events: readonly WatchEvent[];
  readonly isProgress: boolean;
  readonly compactRevision: number;
}

export interface WatchTranscript {
  /** The answers so far, in the order of arrival. */
  readonly seen: SeenResponse[];
  askProgress(): void;
  /** True if the member has ended the stream: a client then goes on at another member. */
  isEnded(): boolean;
}

export interface ManyWatches {
  created: number;
  messages: number;
  /** The revisions of each watch's events, in the order of arrival. */
  readonly revisions: Map<number, number[]>;
  readonly canceled: Set<number>;
  setReading(isReading: boolean): void;
}

function watchOfAll(revision: number): Parameters<typeof watchCreateRequest>[0] {
  return {
    ...{ id: 1, client: 0, member: "", callUs: 0, revision },
    range: { key: "\0", end: "\0" },
    ...{ prevKv: false, progressNotify: false, filters: [] },
  };
}

export class Scene {
  readonly clock: Clock;
  readonly stage: Stage;
  readonly #connections = new Map<string, Connection>();

  constructor(clock: Clock, stage: Stage) {
    this.clock = clock;
    this.stage = stage;
  }

  get first(): string {
    return this.stage.members[0] as string;
  }

  /** @throws Refused */
  async ask(
    request: Unary,
    member = this.first,
  ): Promise<{ readonly revision: number; readonly answer: OperationAnswer }> {
    const { path, bytes } = encodeRequest(request);
    const result = await this.#connection(member).call(path, bytes, callMs);
    if (result.kind === "failed") throw new Refused(result.text);
    return decodeAnswer(request, result.bytes);
  }

  /** Puts a key. Returns the revision. */
  async put(key: string, value = "v", member = this.first): Promise<number> {
    return (await this.ask({ kind: "put", key, value } satisfies Request, member)).revision;
  }

  /** Makes so many puts, some at a time. Returns the revision after the last. */
  async putMany(count: number, at: { readonly key: string; readonly value: string }) {
    let left = count;
    let revision = 0;
    const writer = async (): Promise<void> => {
      while (left-- > 0) revision = Math.max(revision, await this.put(at.key, at.value));
    };
    await Promise.all(Array.from({ length: 64 }, writer));
    return revision;
  }

  /** Hash and compact revision at `revision`, in one text. @throws Refused */
  async hash(member: string, revision: number): Promise<string> {
    const request = HashKVRequest.encode({ revision: BigInt(revision) }).finish();
    const path = "/etcdserverpb.Maintenance/HashKV";
    const result = await this.#connection(member).call(path, request, callMs);
    if (result.kind === "failed") throw new Refused(result.text);
    const { hash, compact_revision } = HashKVResponse.decode(result.bytes);
    return `${hash} (compacted ${compact_revision})`;
  }

  /** A member that does not lead, and is not the first one. */
  async follower(): Promise<string> {
    const path = "/etcdserverpb.Maintenance/Status";
    for (const member of this.stage.members.slice(1)) {
      const result = await this.#connection(member).call(path, new Uint8Array(0), callMs);
      if (result.kind === "failed") throw new Refused(result.text);
      const { header, leader } = StatusResponse.decode(result.bytes);
      if (header?.member_id !== leader) return member;
    }
    throw new Refused("no follower was found");
  }

  /** Watches all keys from a revision on. The list in the result grows as answers come. */
  watch(revision: number, member = this.first): WatchTranscript {
    const seen: SeenResponse[] = [];
    let isEnded = false;
    const stream = this.#connection(member).stream("/etcdserverpb.Watch/Watch", {
      message: (bytes) => {
        const response = WatchResponse.decode(bytes);
        const events = response.events.map(eventOf);
        seen.push({
          revision: Number(response.header?.revision ?? 0n),
          events,
          isProgress: events.length === 0 && !response.created && !response.canceled,
          compactRevision: Number(response.compact_revision),
        });
      },
      ended: () => {
        isEnded = true;
      },
    });
    stream.write(watchCreateRequest(watchOfAll(revision)));
    return {
      seen,
      askProgress: () => stream.write(watchProgressRequest),
      isEnded: () => isEnded,
    };
  }

  /** Opens so many watches of all keys on one stream, from a revision on. */
  manyWatches(count: number, revision: number): ManyWatches {
    const watches: ManyWatches = {
      created: 0,
      messages: 0,
      revisions: new Map(),
      canceled: new Set(),
      setReading: (isReading) => stream.setReading(isReading),
    };
    const stream = this.#connection(this.first).stream("/etcdserverpb.Watch/Watch", {
      message: (bytes) => {
        const response = WatchResponse.decode(bytes);
        const id = Number(response.watch_id);
        watches.messages++;
        if (response.created) watches.created++;
        if (response.canceled) watches.canceled.add(id);
        const known = watches.revisions.get(id) ?? [];
        known.push(...response.events.map((event) => Number(event.kv?.mod_revision)));
        watches.revisions.set(id, known);
      },
      ended: () => {},
    });
    for (let at = 0; at < count; at++) stream.write(watchCreateRequest(watchOfAll(revision)));
    return watches;
  }

  /** Waits until `isSo`. Returns false if that does not happen within the time. */
  async until(isSo: () => boolean | Promise<boolean>, withinMs = 10_000): Promise<boolean> {
    const endMs = this.clock.now() + withinMs;
    while (!(await isSo())) {
      if (this.clock.now() > endMs) return false;
      await pauseFor(this.clock, 20);
    }
    return true;
  }

  pause(ms: number): Promise<void> {
    return pauseFor(this.clock, ms);
  }

  close(): void {
    for (const connection of this.#connections.values()) connection.close();
  }

  #connection(member: string): Connection {
    let connection = this.#connections.get(member);
    if (connection === undefined) {
      connection = this.stage.connect(member);
      this.#connections.set(member, connection);
    }
    return connection;
  }
}

/** The events of all answers, in the order of arrival. */
export function eventsOf(seen: readonly SeenResponse[]): readonly WatchEvent[] {
  return seen.flatMap(({ events }) => events);
}
