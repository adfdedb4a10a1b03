/**
 * For tests only: a naive multi-version key space that keeps every change, and a client that keeps
 * what a stream told it and can refuse to read.
 */

import { KvError } from "../../base/errors.js";
import { KeyValue } from "../../wire/gen/kv.js";
import type { HistoryOptions, HistoryPlace, KvEvent, KvReader, RevisionEvents } from "../types.js";
import { createWatchHub, type WatchHubOptions } from "./hub.js";
import type { WatchHub, WatchNotice, WatchSpec, WatchStream } from "./types.js";

export const bytes = (text: string) => new Uint8Array(Buffer.from(text, "latin1"));
export const textOf = (of: Uint8Array) => Buffer.from(of).toString("latin1");

/** A change of one key; `value` undefined deletes it. */
export type Change = readonly [key: string, value: string | undefined];

export class NaiveStore implements Partial<KvReader> {
  readonly log: RevisionEvents[] = [];
  historyCalls = 0;
  revisionsRead = 0;
  kvAtCalls = 0;
  #compacted = 0;
  readonly #live = new Map<string, { create: number; version: number }>();

  /** Makes one revision. A delete of a missing key is no event. Undefined if nothing changed. */
  apply(changes: readonly Change[]): RevisionEvents | undefined {
    const revision = this.revision() + 1;
    const events: KvEvent[] = [];
    for (const [key, value] of changes) {
      const before = this.#live.get(key);
      if (value === undefined) {
        if (before === undefined) continue;
        this.#live.delete(key);
        events.push({ type: "delete", key: bytes(key), kv: kv(key, revision), isCreate: false });
        continue;
      }
      const create = before?.create ?? revision;
      const version = (before?.version ?? 0) + 1;
      this.#live.set(key, { create, version });
      const row = kv(key, revision, { value, create, version });
      events.push({ type: "put", key: bytes(key), kv: row, isCreate: before === undefined });
    }
    if (events.length === 0) return undefined;
    this.log.push({ revision, events });
    return { revision, events };
  }

  compact(revision: number): void {
    this.#compacted = revision;
  }

  revision(): number {
    return 1 + this.log.length;
  }

  compactRevision(): number {
    return this.#compacted;
  }

  kvAt(key: Uint8Array, revision: number): Uint8Array | undefined {
    this.kvAtCalls += 1;
    const wanted = textOf(key);
    for (let at = revision - 2; at >= 0; at -= 1) {
      const event = this.log[at]?.events.findLast((known) => textOf(known.key) === wanted);
      if (event !== undefined) return event.type === "put" ? event.kv : undefined;
    }
    return undefined;
  }

  history(options: HistoryOptions, visit: (events: RevisionEvents) => void): HistoryPlace {
    const { from, fromSub = 0, to, revisionsMax, eventsMax = Number.MAX_SAFE_INTEGER } = options;
    this.historyCalls += 1;
    if (from < this.#compacted) throw new KvError("compacted");
    const end = Math.min(to, from + revisionsMax);
    let left = eventsMax;
    for (const { revision, events } of this.log.slice(Math.max(0, from - 2), end - 2)) {
      const first = revision === from ? fromSub : 0;
      if (left === 0) return { revision, sub: first };
      const part = events.slice(first, first + left);
      left -= part.length;
      this.revisionsRead += 1;
      if (part.length > 0) visit({ revision, events: part });
      if (first + part.length < events.length) return { revision, sub: first + part.length };
    }
    return { revision: end, sub: 0 };
  }

  reader(): KvReader {
    return this as unknown as KvReader;
  }
}

function kv(
  key: string,
  revision: number,
  row?: { value: string; create: number; version: number },
): Uint8Array {
  return KeyValue.encode({
    key: Buffer.from(key, "latin1"),
    mod_revision: BigInt(revision),
    create_revision: BigInt(row?.create ?? 0),
    version: BigInt(row?.version ?? 0),
    value: Buffer.from(row?.value ?? ""),
    lease: 0n,
  }).finish();
}

/**
 * A client that takes as many notices as `room` allows; then its transport is full until `read`.
 */
export class Client {
  readonly notices: WatchNotice[] = [];
  readonly stream: WatchStream;
  room: number;
  /** Notices delivered although the transport had said that it is full. */
  unwanted = 0;
  #isFull = false;

  constructor(hub: WatchHub, room = Number.POSITIVE_INFINITY, needsLeader = false) {
    this.room = room;
    this.stream = hub.open((notice) => {
      if (this.#isFull && notice.kind !== "ended") this.unwanted += 1;
      this.notices.push(notice);
      this.room -= 1;
      this.#isFull = this.room <= 0;
      return !this.#isFull;
    }, needsLeader);
  }

  watch(key: string, more: Partial<WatchSpec> & { end?: string } = {}) {
    return this.stream.create({
      watchId: 0n,
      key: bytes(key),
      rangeEnd: bytes(more.end ?? ""),
      startRevision: 0,
      progressNotify: false,
      noPut: false,
      noDelete: false,
      prevKv: false,
      ...more,
    });
  }

  read(room: number): void {
    this.room = room;
    this.#isFull = room <= 0;
    if (!this.#isFull) this.stream.resume();
  }

  /** Takes all notices, as text, one line each. */
  take(): string[] {
    return this.notices.splice(0).map(show);
  }
}

export function show(notice: WatchNotice): string {
  switch (notice.kind) {
    case "refused":
      return `refused ${notice.reason} @${notice.revision}`;
    case "ended":
      return `ended ${notice.cause}`;
    case "events":
      return `${notice.watchId}: ${notice.events
        .map(({ event, prevKv }) => showEvent(event, prevKv))
        .join(" ")}`;
    case "canceled":
      return `canceled ${notice.watchId} compact ${notice.compactRevision} @${notice.revision}`;
    default:
      return `${notice.kind} ${notice.watchId} @${notice.revision}`;
  }
}

export function showEvent(event: KvEvent, prevKv: Uint8Array | undefined): string {
  const { key, mod_revision, value } = KeyValue.decode(event.kv);
  const shown =
    event.type === "put"
      ? `${textOf(key)}=${textOf(value)}@${mod_revision}`
      : `-${textOf(key)}@${mod_revision}`;
  if (prevKv === undefined) return shown;
  const prev = KeyValue.decode(prevKv);
  return `${shown}(was ${textOf(prev.value)}@${prev.mod_revision})`;
}

/** A hub on a store. `put` applies one revision; `settle` lets all watchers catch up. */
export function hubOnStore(options: WatchHubOptions = {}) {
  const store = new NaiveStore();
  const hub = createWatchHub(store.reader(), options);
  const put = (...changes: Change[]) => {
    const events = store.apply(changes);
    if (events !== undefined) hub.notify(events);
  };
  const settle = () => {
    let passes = 1;
    while (hub.catchUp()) passes += 1;
    return passes;
  };
  return { store, hub, put, settle };
}
