/**
 * Which revisions each key has, in memory, ordered by key. The rows hold the values; this index
 * finds them. It answers what etcd's treeIndex does, but a key's history is one list, not
 * generations.
 *
 * Worked example, key "a": put at 2, put at 3, deleted at 5, put at 7 gives the places 2 3 5t 7; at
 * revision 4 the key is 3, at 5 and 6 it is not there, at 7 it is 7. Compaction at 4 drops 2; at 5
 * it drops 2 and 3 and keeps the tombstone 5t (a watcher from 5 on must see it); at 6 it drops 5t
 * too. What compaction drops of one key is always its oldest places.
 */
import { invariant } from "../../base/invariant.js";
import type { Work } from "../work.js";
import { KeyHistory } from "./key-history.js";
import { type KeyText, KeyTree } from "./key-tree.js";

export { KeyHistory, type KeyText };

const latin1Slice = Buffer.prototype.latin1Slice;

export function keyText(key: Uint8Array): KeyText {
  return latin1Slice.call(key as Buffer, 0, key.length);
}

export function keyBytes(text: KeyText): Uint8Array {
  return Buffer.from(text, "latin1");
}

/** The keys from `from` (inclusive) to `to` (exclusive). `to` undefined: no end. */
export interface KeyRange {
  readonly from: KeyText;
  readonly to: KeyText | undefined;
}

export class KeyIndex {
  #tree = new KeyTree();

  /** Replaces everything, with pauses. `texts`: all keys, ascending. */
  *load(
    texts: readonly KeyText[],
    historyOf: (text: KeyText) => KeyHistory,
    work: Work,
  ): Generator<undefined, void> {
    this.#tree = yield* KeyTree.of(texts, historyOf, work);
  }

  get(key: KeyText): KeyHistory | undefined {
    return this.#tree.get(key);
  }

  /**
   * Call before an entry changes the index, maybe over several turns. The entry writes at a higher
   * revision than `revision`, the newest one. Readers continue to read at `revision`, and count
   * with `formerlyAliveIn`.
   */
  beginChange(revision: number): void {
    this.#tree.beginChange(revision);
  }

  endChange(): void {
    this.#tree.endChange();
  }

  /** The number of keys alive now. */
  aliveCount(): number {
    return this.#tree.alive;
  }

  /** The number of keys of a range that are alive now. Does not visit them. */
  aliveIn(range: KeyRange): number {
    const end = range.to === undefined ? this.#tree.alive : this.#tree.aliveBefore(range.to);
    return Math.max(0, end - this.#tree.aliveBefore(range.from));
  }

  /** As `aliveIn`, but from before the running change if there is one. */
  formerlyAliveIn(range: KeyRange): number {
    const tree = this.#tree;
    const end = range.to === undefined ? tree.formerlyAlive : tree.aliveBefore(range.to, true);
    return Math.max(0, end - tree.aliveBefore(range.from, true));
  }

  formerlyAlive(): number {
    return this.#tree.formerlyAlive;
  }

  put(key: KeyText, main: number, sub: number): KeyHistory {
    const known = this.#tree.get(key);
    const history = known ?? new KeyHistory();
    const wasAlive = history.isAlive();
    history.put(main, sub);
    if (known === undefined) this.#tree.insert(key, history);
    else if (!wasAlive) this.#tree.addAlive(key, 1);
    return history;
  }

  delete(key: KeyText, main: number, sub: number): void {
    const history = this.#tree.get(key);
    invariant(history?.isAlive() === true, "a key is deleted that is not there");
    history.delete(main, sub);
    this.#tree.addAlive(key, -1);
  }

  /** Forgets the oldest `count` places of a key. */
  dropFirst(key: KeyText, count: number): void {
    const history = this.#tree.get(key);
    invariant(history !== undefined, "compaction of a key that is not there");
    history.dropFirst(count);
    if (!history.isEmpty()) return;
    invariant(!history.isAlive(), "compaction dropped a key that is alive");
    this.#tree.remove(key);
  }

  /**
   * Visits histories in key order until `visit` returns false. `visit` must not change anything.
   */
  scan(range: KeyRange, visit: (key: KeyText, history: KeyHistory) => boolean): void {
    this.#tree.scan(range, visit);
  }
}
