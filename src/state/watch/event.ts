/**
 * One event as the watchers see it. It is made once and shared: most streams want the same bytes,
 * and the previous value is read only if a watcher asks for it.
 */
import type { KvEvent, KvReader } from "../types.js";
import type { Watcher } from "./stream.js";
import type { WatchedEvent } from "./types.js";

export class EventView {
  readonly event: KvEvent;
  readonly #kv: KvReader;
  readonly #revision: number;
  #plain: readonly [WatchedEvent] | undefined;
  #withPrev: readonly [WatchedEvent] | undefined;

  constructor(kv: KvReader, event: KvEvent, revision: number) {
    this.#kv = kv;
    this.event = event;
    this.#revision = revision;
  }

  /** A list of this one event. Watchers that see the event alike get the same list. */
  listFor(watcher: Watcher): readonly [WatchedEvent] {
    if (watcher.prevKv) {
      this.#withPrev ??= this.#readPrev();
      return this.#withPrev;
    }
    this.#plain ??= [{ event: this.event, prevKv: undefined }];
    return this.#plain;
  }

  /**
   * Reads the value at the revision before. A new key has none, and compaction may have removed it.
   */
  #readPrev(): readonly [WatchedEvent] {
    const before = this.#revision - 1;
    const hasPrev = !this.event.isCreate && before >= this.#kv.compactRevision();
    const prevKv = hasPrev ? this.#kv.kvAt(this.event.key, before) : undefined;
    return [{ event: this.event, prevKv }];
  }
}

export function isWanted(watcher: Watcher, event: KvEvent): boolean {
  return event.type === "put" ? !watcher.noPut : !watcher.noDelete;
}
