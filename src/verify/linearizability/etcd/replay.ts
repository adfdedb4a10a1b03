/**
 * The true course of a history: requests in the order in which the store took them, applied one
 * after another, with every version of every key. So any revision can be read, compacted or not,
 * and any event can be shown with the value that it replaced.
 *
 * Entries are numbered from 0; "position p" is the moment after the first p entries. An entry that
 * is refused changes nothing. `undo` takes entries back, last first.
 */
import { invariant } from "../../../base/invariant.js";
import type { HistoryRange, KeyValue, Request, WatchEvent } from "../../history/types.js";
import {
  covers,
  effectOf,
  type KeyView,
  keyValueOf,
  type RequestEffect,
  type StoreView,
} from "./effect.js";

export interface ReplayEntry {
  readonly request: Request;
  readonly effect: RequestEffect;
  /** The revision after it. */
  readonly revision: number;
  readonly compactRevision: number;
  /** When the store took it, by the history's clock; undefined: not known. */
  readonly committedUs: number | undefined;
}

interface Versions {
  /** Ascending. */
  readonly revisions: number[];
  /** Undefined: the key is deleted. */
  readonly kvs: (KeyValue | undefined)[];
}

interface LeaseState {
  readonly ttl: number;
  readonly keys: Set<string>;
}

export class Replay implements StoreView {
  readonly entries: ReplayEntry[] = [];
  /** The first position of each revision. */
  readonly #positions: number[] = [0, 0];
  readonly #versions = new Map<string, Versions>();
  /** Every key that ever existed, sorted. */
  readonly #names: string[] = [];
  readonly #leases = new Map<string, LeaseState>();
  /** What each revocation removed, for `undo`. */
  readonly #revoked: LeaseState[] = [];

  static of(requests: Iterable<Request>): Replay {
    const replay = new Replay();
    for (const request of requests) replay.append(request);
    return replay;
  }

  get revision(): number {
    return this.#positions.length - 1;
  }

  get compactRevision(): number {
    return this.entries.at(-1)?.compactRevision ?? 0;
  }

  /** For a lease grant the caller gives the id. */
  append(request: Request, committedUs?: number): ReplayEntry {
    const effect = effectOf(this, request);
    let { compactRevision } = this;
    if (effect.error === undefined) {
      if (effect.compacted !== undefined) compactRevision = effect.compacted;
      if (effect.granted !== undefined) {
        const { id, ttl } = effect.granted;
        this.#leases.set(id, { ttl, keys: new Set() });
      }
      for (const event of effect.events) this.#apply(event);
      if (effect.events.length > 0) this.#positions.push(this.entries.length + 1);
      if (effect.revoked !== undefined) {
        this.#revoked.push(this.#leases.get(effect.revoked) as LeaseState);
        this.#leases.delete(effect.revoked);
      }
    }
    const entry = { request, effect, revision: this.revision, compactRevision, committedUs };
    this.entries.push(entry);
    return entry;
  }

  /** Takes the last entry back. */
  undo(): void {
    const entry = this.entries.pop();
    invariant(entry !== undefined, "nothing is left to undo");
    const { effect } = entry;
    if (effect.error !== undefined) return;
    if (effect.revoked !== undefined) {
      this.#leases.set(effect.revoked, this.#revoked.pop() as LeaseState);
    }
    if (effect.events.length > 0) this.#positions.pop();
    for (const event of effect.events.toReversed()) this.#takeBack(event);
    if (effect.granted !== undefined) this.#leases.delete(effect.granted.id);
  }

  get(key: string): KeyValue | undefined {
    return this.#versions.get(key)?.kvs.at(-1);
  }

  range(range: HistoryRange): readonly KeyValue[] {
    return this.#collect(range, (versions) => versions.kvs.at(-1));
  }

  hasLease(id: string): boolean {
    return this.#leases.has(id);
  }

  ttlOf(id: string): number | undefined {
    return this.#leases.get(id)?.ttl;
  }

  keysOf(lease: string): readonly string[] {
    return [...(this.#leases.get(lease)?.keys ?? [])].sort();
  }

  leaseIds(): IterableIterator<string> {
    return this.#leases.keys();
  }

  /** @param revision at most the current one; below 1 there are no keys */
  at(revision: number): KeyView {
    if (revision >= this.revision) return this;
    return {
      get: (key) => {
        const versions = this.#versions.get(key);
        return versions === undefined ? undefined : versionAt(versions, revision);
      },
      range: (range) => this.#collect(range, (versions) => versionAt(versions, revision)),
    };
  }

  /** The entry that made this revision; undefined: there is none (yet). */
  entryOf(revision: number): ReplayEntry | undefined {
    const position = revision < 2 ? undefined : this.#positions[revision];
    return position === undefined ? undefined : this.entries[position - 1];
  }

  /** The first position at which the store has this revision. */
  firstPosition(revision: number): number | undefined {
    return revision < 1 ? undefined : this.#positions[revision];
  }

  /** The last position at which the store has this revision. */
  lastPosition(revision: number): number {
    const next = this.#positions[revision + 1];
    return next === undefined ? this.entries.length : next - 1;
  }

  revisionAt(position: number): number {
    return position === 0 ? 1 : (this.entries[position - 1] as ReplayEntry).revision;
  }

  compactRevisionAt(position: number): number {
    return position === 0 ? 0 : (this.entries[position - 1] as ReplayEntry).compactRevision;
  }

  /** In the order of the request's operations; empty for revisions that do not exist. */
  eventsAt(revision: number): readonly WatchEvent[] {
    const effect = this.entryOf(revision)?.effect;
    return effect === undefined || effect.error !== undefined ? [] : effect.events;
  }

  /** The events of all revisions between the two, both included; compacted ones too. */
  *eventsBetween(from: number, to: number): IterableIterator<readonly WatchEvent[]> {
    const last = Math.min(to, this.revision);
    for (let revision = Math.max(2, from); revision <= last; revision++) {
      yield this.eventsAt(revision);
    }
  }

  #collect(
    range: HistoryRange,
    pick: (versions: Versions) => KeyValue | undefined,
  ): readonly KeyValue[] {
    const found: KeyValue[] = [];
    const names = this.#names;
    for (let at = lowerBound(names, range.key); at < names.length; at++) {
      const key = names[at] as string;
      if (!covers(range, key)) break;
      const kv = pick(this.#versions.get(key) as Versions);
      if (kv !== undefined) found.push(kv);
    }
    return found;
  }

  #apply(event: WatchEvent): void {
    const { key } = event;
    let versions = this.#versions.get(key);
    if (versions === undefined) {
      versions = { revisions: [], kvs: [] };
      this.#versions.set(key, versions);
      this.#names.splice(lowerBound(this.#names, key), 0, key);
    }
    const kv = keyValueOf(event);
    this.#attach(versions.kvs.at(-1), kv);
    versions.revisions.push(event.mod);
    versions.kvs.push(kv);
  }

  #takeBack(event: WatchEvent): void {
    const versions = this.#versions.get(event.key) as Versions;
    versions.revisions.pop();
    this.#attach(versions.kvs.pop(), versions.kvs.at(-1));
  }

  /** A key has the lease of its newest version. */
  #attach(old: KeyValue | undefined, kv: KeyValue | undefined): void {
    if (old?.lease !== undefined) this.#leases.get(old.lease)?.keys.delete(old.key);
    if (kv?.lease !== undefined) this.#leases.get(kv.lease)?.keys.add(kv.key);
  }
}

function versionAt({ revisions, kvs }: Versions, revision: number): KeyValue | undefined {
  let low = 0;
  let high = revisions.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((revisions[middle] as number) <= revision) low = middle + 1;
    else high = middle;
  }
  return kvs[low - 1];
}

/** Index of the first name that is not before `key`. */
function lowerBound(names: readonly string[], key: string): number {
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((names[middle] as string) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
