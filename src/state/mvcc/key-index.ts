/**
 * Which revisions each key has, in memory, ordered by key. The rows hold the values; this index
 * finds them. Like etcd's treeIndex, but flat: a key's history is one ascending list of places, a
 * tombstone among them ends one life of the key and the next put begins another.
 *
 * Worked example, key "a": put at 2, put at 3, deleted at 5, put at 7 gives
 *   mains 2 3 5t 7; at revision 4 the key is place 3, at 5 and 6 it is not there, at 7 place 7.
 * Compaction at 4 drops 2; at 5 it drops 2 and 3 and keeps the tombstone 5t (a watcher from 5 on
 * must see it); at 6 it drops 5t too.
 */
import sortedBtree from "sorted-btree";

// A CommonJS module: its default export is one level down.
const BTree = sortedBtree.default;

/** Keys are latin1 strings: their order is the bytes' order. */
export type KeyText = string;

export function keyText(key: Uint8Array): KeyText {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString("latin1");
}

export function keyBytes(text: KeyText): Uint8Array {
  return Buffer.from(text, "latin1");
}

export class KeyHistory {
  /** Main revisions, ascending. */
  readonly mains: number[] = [];
  /** Sub revision of each; a tombstone's is stored as its complement (negative). */
  readonly subs: number[] = [];
  /** Of the current life: 0 when the newest place is a tombstone. */
  createRevision = 0;
  version = 0;

  isAlive(): boolean {
    return this.version > 0;
  }

  put(main: number, sub: number): void {
    this.mains.push(main);
    this.subs.push(sub);
    if (this.version === 0) this.createRevision = main;
    this.version++;
  }

  delete(main: number, sub: number): void {
    this.mains.push(main);
    this.subs.push(~sub);
    this.createRevision = 0;
    this.version = 0;
  }

  /** Place of the newest revision <= `main`, or -1. */
  placeAt(main: number): number {
    let place = this.mains.length - 1;
    if (place < 0 || (this.mains[place] as number) <= main) return place;
    let low = 0;
    while (low < place) {
      const middle = (low + place) >> 1;
      if ((this.mains[middle] as number) <= main) low = middle + 1;
      else place = middle;
    }
    return place - 1;
  }

  /** Place of the version that readers at `main` see, or -1: none, or deleted. */
  liveAt(main: number): number {
    const place = this.placeAt(main);
    return place >= 0 && this.isTombstone(place) ? -1 : place;
  }

  isTombstone(place: number): boolean {
    return (this.subs[place] as number) < 0;
  }

  sub(place: number): number {
    const sub = this.subs[place] as number;
    return sub < 0 ? ~sub : sub;
  }

  /** Forgets one revision; true when nothing is left. */
  forget(main: number, sub: number): boolean {
    let place = 0;
    while (place < this.mains.length) {
      if (this.mains[place] === main && this.sub(place) === sub) break;
      place++;
    }
    this.mains.splice(place, 1);
    this.subs.splice(place, 1);
    return this.mains.length === 0;
  }
}

/** From `from` (inclusive) to `to` (exclusive); `to` undefined: without end. */
export interface KeyRange {
  readonly from: KeyText;
  readonly to: KeyText | undefined;
}

export class KeyIndex {
  #tree = new BTree<KeyText, KeyHistory>();
  #alive = 0;

  /** Replaces everything; entries in any order. */
  load(histories: ReadonlyMap<KeyText, KeyHistory>): void {
    const sorted = [...histories].sort(([a], [b]) => (a < b ? -1 : 1));
    this.#tree = new BTree(sorted);
    this.#alive = 0;
    for (const [, history] of sorted) if (history.isAlive()) this.#alive++;
  }

  get(key: KeyText): KeyHistory | undefined {
    return this.#tree.get(key);
  }

  /** Keys alive now. */
  aliveCount(): number {
    return this.#alive;
  }

  put(key: KeyText, main: number, sub: number): KeyHistory {
    let history = this.#tree.get(key);
    if (history === undefined) {
      history = new KeyHistory();
      this.#tree.set(key, history);
    }
    if (!history.isAlive()) this.#alive++;
    history.put(main, sub);
    return history;
  }

  delete(key: KeyText, main: number, sub: number): void {
    this.#tree.get(key)?.delete(main, sub);
    this.#alive--;
  }

  forget(key: KeyText, main: number, sub: number): void {
    if (this.#tree.get(key)?.forget(main, sub)) this.#tree.delete(key);
  }

  /** Visits histories in key order until `visit` returns false. */
  scan(range: KeyRange, visit: (key: KeyText, history: KeyHistory) => boolean): void {
    const stop = { break: true };
    const step = (key: KeyText, history: KeyHistory): typeof stop | undefined =>
      visit(key, history) ? undefined : stop;
    const high = range.to ?? this.#tree.maxKey();
    if (high === undefined || high < range.from) return;
    this.#tree.forRange(range.from, high, range.to === undefined, step);
  }
}
