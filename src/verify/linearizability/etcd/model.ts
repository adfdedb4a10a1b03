/**
 * etcd's key space as a persistent value: a step gives a new state and does not change the old one.
 * The two share everything that did not change, so that a search can keep many. Old revisions stay
 * readable through the chain of earlier states.
 */
import sortedBtree from "sorted-btree";
import type { HistoryRange, KeyValue, Request } from "../../history/types.js";
import {
  covers,
  effectOf,
  type KeyView,
  keyValueOf,
  type RequestEffect,
  type StoreView,
} from "./effect.js";

/** Present under Node's view of the package, whose CommonJS export holds the class as `default`. */
const BTree = sortedBtree.default ?? sortedBtree;
type Tree<Value> = InstanceType<typeof BTree<string, Value>>;

interface Lease {
  readonly ttl: number;
  /** Sorted. */
  readonly keys: readonly string[];
}

/** One state of the key space. It never changes. */
export class EtcdState implements StoreView {
  static readonly empty = new EtcdState({
    revision: 1,
    compactRevision: 0,
    keys: new BTree<string, KeyValue>(),
    leases: new BTree<string, Lease>(),
    previous: undefined,
  });
  readonly revision: number;
  readonly compactRevision: number;
  readonly #keys: Tree<KeyValue>;
  readonly #leases: Tree<Lease>;
  /** The last state of the previous revision. */
  readonly #previous: EtcdState | undefined;

  private constructor(parts: {
    readonly revision: number;
    readonly compactRevision: number;
    readonly keys: Tree<KeyValue>;
    readonly leases: Tree<Lease>;
    readonly previous: EtcdState | undefined;
  }) {
    this.revision = parts.revision;
    this.compactRevision = parts.compactRevision;
    this.#keys = parts.keys;
    this.#leases = parts.leases;
    this.#previous = parts.previous;
  }

  get(key: string): KeyValue | undefined {
    return this.#keys.get(key);
  }

  range(range: HistoryRange): readonly KeyValue[] {
    const found: KeyValue[] = [];
    for (const [key, kv] of this.#keys.entries(range.key)) {
      if (!covers(range, key)) break;
      found.push(kv);
    }
    return found;
  }

  hasLease(id: string): boolean {
    return this.#leases.has(id);
  }

  ttlOf(id: string): number | undefined {
    return this.#leases.get(id)?.ttl;
  }

  keysOf(lease: string): readonly string[] {
    return this.#leases.get(lease)?.keys ?? [];
  }

  at(revision: number): KeyView {
    let state: EtcdState = this;
    while (state.revision > revision && state.#previous !== undefined) state = state.#previous;
    return state;
  }

  /** The state after an effect that `effectOf` found for this state. */
  after(effect: RequestEffect): EtcdState {
    if (effect.error !== undefined) return this;
    const { events, granted, revoked, compacted } = effect;
    const hasLeases = granted !== undefined || revoked !== undefined;
    if (events.length === 0 && !hasLeases && compacted === undefined) return this;
    const keys = events.length === 0 ? this.#keys : this.#keys.clone();
    const leases = events.length === 0 && !hasLeases ? this.#leases : this.#leases.clone();
    if (granted !== undefined) leases.set(granted.id, { ttl: granted.ttl, keys: [] });
    for (const event of events) {
      const kv = keyValueOf(event);
      attach(leases, keys.get(event.key), kv);
      if (kv === undefined) keys.delete(event.key);
      else keys.set(event.key, kv);
    }
    if (revoked !== undefined) leases.delete(revoked);
    return new EtcdState({
      revision: this.revision + (events.length === 0 ? 0 : 1),
      compactRevision: compacted ?? this.compactRevision,
      keys,
      leases,
      previous: events.length === 0 ? this.#previous : this,
    });
  }

  /** Keys and leases as text, for comparing states: everything except the past. */
  content(): string {
    return JSON.stringify([
      this.revision,
      this.compactRevision,
      this.#keys.toArray(),
      this.#leases.toArray(),
    ]);
  }
}

/** The state after a request, and what the request answers and changes. */
export interface EtcdStep {
  readonly state: EtcdState;
  readonly effect: RequestEffect;
}

/** Deterministic; for a lease grant the caller gives the id. */
export function step(state: EtcdState, request: Request): EtcdStep {
  const effect = effectOf(state, request);
  return { state: state.after(effect), effect };
}

function attach(leases: Tree<Lease>, old: KeyValue | undefined, kv: KeyValue | undefined): void {
  if (old?.lease !== undefined) {
    const { key, lease } = old;
    const had = leases.get(lease);
    if (had !== undefined) {
      leases.set(lease, { ttl: had.ttl, keys: had.keys.filter((other) => other !== key) });
    }
  }
  if (kv?.lease === undefined) return;
  const has = leases.get(kv.lease);
  if (has === undefined) return;
  leases.set(kv.lease, { ttl: has.ttl, keys: [...has.keys, kv.key].sort() });
}
