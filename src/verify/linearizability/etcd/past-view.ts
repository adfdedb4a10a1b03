/**
 * The store as it was at one position of a replay, with its leases: what a request that changed
 * nothing may have seen.
 */
import type { HistoryRange, KeyValue } from "../../history/types.js";
import type { KeyView, StoreView } from "./effect.js";
import type { Replay } from "./replay.js";

/** When each lease existed, by positions of a replay. */
export class PastLeaseTimes {
  readonly #changes = new Map<string, { position: number; ttl: number | undefined }[]>();

  constructor(replay: Replay) {
    replay.entries.forEach(({ effect }, at) => {
      if (effect.error !== undefined) return;
      if (effect.granted !== undefined) this.#add(effect.granted.id, at + 1, effect.granted.ttl);
      if (effect.revoked !== undefined) this.#add(effect.revoked, at + 1, undefined);
    });
  }

  /** Seconds, as granted; undefined: the lease does not exist. */
  ttlAt(id: string, position: number): number | undefined {
    let ttl: number | undefined;
    for (const change of this.#changes.get(id) ?? []) {
      if (change.position > position) break;
      ttl = change.ttl;
    }
    return ttl;
  }

  #add(id: string, position: number, ttl: number | undefined): void {
    const changes = this.#changes.get(id);
    if (changes === undefined) this.#changes.set(id, [{ position, ttl }]);
    else changes.push({ position, ttl });
  }
}

export class PastView implements StoreView {
  readonly revision: number;
  readonly compactRevision: number;
  readonly #replay: Replay;
  readonly #leases: PastLeaseTimes;
  readonly #position: number;
  readonly #keys: KeyView;

  constructor(replay: Replay, leases: PastLeaseTimes, position: number) {
    this.#replay = replay;
    this.#leases = leases;
    this.#position = position;
    this.revision = replay.revisionAt(position);
    this.compactRevision = replay.compactRevisionAt(position);
    this.#keys = replay.at(this.revision);
  }

  get(key: string): KeyValue | undefined {
    return this.#keys.get(key);
  }

  range(range: HistoryRange): readonly KeyValue[] {
    return this.#keys.range(range);
  }

  hasLease(id: string): boolean {
    return this.ttlOf(id) !== undefined;
  }

  ttlOf(id: string): number | undefined {
    return this.#leases.ttlAt(id, this.#position);
  }

  keysOf(lease: string): readonly string[] {
    const all = this.#keys.range({ key: "", end: "\0" });
    return all.filter((kv) => kv.lease === lease).map(({ key }) => key);
  }

  at(revision: number): KeyView {
    return this.#replay.at(revision);
  }
}
