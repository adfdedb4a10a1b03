/**
 * Finds the watchers that want a key: a map for single keys, an interval tree for ranges. Watchers
 * of the same key or range share one entry, so the cost of an event depends on the watchers that it
 * concerns, not on all watchers.
 */
import { IntervalTree, type KeyInterval } from "./interval-tree.js";

/** Keys as latin1 text: see keyText. */
export interface Watching {
  readonly start: string;
  /** Exclusive; undefined: no upper bound. Unused for a single key. */
  readonly end: string | undefined;
  readonly isSingleKey: boolean;
}

interface Group<W> extends KeyInterval {
  readonly watchers: Set<W>;
}

export class WatchIndex<W extends Watching> {
  readonly #singles = new Map<string, Set<W>>();
  readonly #ranges = new IntervalTree<Group<W>>();
  readonly #hits: Group<W>[] = [];
  #size = 0;
  #rangeCount = 0;

  get size(): number {
    return this.#size;
  }

  /** Adds a watcher, which must not be present. */
  add(watcher: W): void {
    this.#size += 1;
    const { start, end } = watcher;
    if (watcher.isSingleKey) {
      const known = this.#singles.get(start);
      if (known === undefined) this.#singles.set(start, new Set([watcher]));
      else known.add(watcher);
      return;
    }
    const group = this.#ranges.find(watcher);
    if (group === undefined) {
      this.#ranges.insert({ start, end, watchers: new Set([watcher]) });
      this.#rangeCount += 1;
    } else {
      group.watchers.add(watcher);
    }
  }

  /** Removes a watcher, which must be present. */
  remove(watcher: W): void {
    this.#size -= 1;
    if (watcher.isSingleKey) {
      const known = this.#singles.get(watcher.start);
      known?.delete(watcher);
      if (known?.size === 0) this.#singles.delete(watcher.start);
      return;
    }
    const group = this.#ranges.find(watcher);
    group?.watchers.delete(watcher);
    if (group?.watchers.size === 0) {
      this.#ranges.remove(group);
      this.#rangeCount -= 1;
    }
  }

  /** Appends every watcher of `key`, each once. */
  collect(key: string, into: W[]): void {
    const single = this.#singles.get(key);
    if (single !== undefined) for (const watcher of single) into.push(watcher);
    if (this.#rangeCount === 0) return;
    this.#ranges.collect(key, this.#hits);
    for (const group of this.#hits) {
      for (const watcher of group.watchers) into.push(watcher);
    }
    this.#hits.length = 0;
  }
}

/** Latin-1 text, whose order is the byte order of the key. */
export function keyText(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}
