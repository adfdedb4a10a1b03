/**
 * Where the search has been, exactly and in bounded memory: a configuration is the state, the first
 * return that is not placed, the lanes open before it (together: the set of completed calls that
 * are placed), and the set of pending calls that were used.
 *
 * A configuration that differs from a visited one only by having used more pending calls is worse
 * than that one: whatever can follow it can follow the other too. So it counts as visited, and of
 * each group only the smallest sets are kept.
 */
const slotsStart = 1 << 10;
const setsStart = 1 << 8;

/** Fixed words of a key: state, first return. The lanes follow. */
const keyWordsFixed = 2;

export class Visited {
  /** What the next configuration is, written by the search before `visit`. */
  readonly key: Int32Array;
  /** The used pending calls, a bit each; the search writes it. */
  readonly used: Int32Array;
  count = 0;
  /** Words looked at while comparing sets: work that is not a step of the model. */
  compared = 0;
  readonly #bytesMax: number;
  /** Rows of key words and the first set (0: the empty row). */
  #rows: Int32Array;
  #rowCount = 0;
  #slotCount = slotsStart;
  /** Rows of the next set's number and the words of the set; number 0 is not used. */
  #sets: Int32Array;
  #setEnd: number;
  #freeSet = 0;

  constructor(size: { readonly lanes: number; readonly pending: number }, bytesMax: number) {
    this.key = new Int32Array(keyWordsFixed + Math.ceil(size.lanes / 32));
    this.used = new Int32Array(Math.ceil(size.pending / 32));
    this.#bytesMax = bytesMax;
    this.#rows = new Int32Array(this.#slotCount * (this.key.length + 1));
    this.#sets = new Int32Array(this.used.length === 0 ? 0 : setsStart * this.#setWords);
    this.#setEnd = this.#setWords;
  }

  get bytes(): number {
    return this.#rows.byteLength + this.#sets.byteLength;
  }

  get #setWords(): number {
    return this.used.length + 1;
  }

  /** Remembers `key` and `used`. "full": the memory is used up, and nothing was remembered. */
  visit(otherBytes: number): "new" | "seen" | "full" {
    if (this.#rowCount * 4 >= this.#slotCount * 3 && !this.#growRows(otherBytes)) return "full";
    const row = this.#find();
    const first = row + this.key.length;
    const isNew = this.#rows[first] === 0;
    if (this.used.length === 0) {
      if (!isNew) return "seen";
      this.#rows[first] = 1;
    } else {
      if (!isNew && this.#hasSmaller(first)) return "seen";
      const set = this.#takeSet(otherBytes);
      if (set === 0) return "full";
      this.#sets[set] = this.#rows[first] as number;
      this.#sets.set(this.used, set + 1);
      this.#rows[first] = set;
    }
    if (isNew) {
      this.#rows.set(this.key, row);
      this.#rowCount++;
    }
    this.count++;
    return "new";
  }

  /** The row that holds `key`, or the empty row where it belongs. */
  #find(): number {
    const { key } = this;
    const rows = this.#rows;
    const words = key.length + 1;
    const mask = this.#slotCount - 1;
    for (let slot = hashWords(key, 0, key.length) & mask; ; slot = (slot + 1) & mask) {
      const row = slot * words;
      if (rows[row + key.length] === 0) return row;
      let at = 0;
      while (at < key.length && rows[row + at] === key[at]) at++;
      if (at === key.length) return row;
    }
  }

  /** Whether a set of this list is part of `used`. Drops the sets that contain `used`. */
  #hasSmaller(first: number): boolean {
    const { used } = this;
    let before = 0;
    let set = this.#rows[first] as number;
    while (set !== 0) {
      const sets = this.#sets;
      let isSmaller = true;
      let isLarger = true;
      for (let at = 0; at < used.length && (isSmaller || isLarger); at++) {
        const theirs = sets[set + 1 + at] as number;
        const ours = used[at] as number;
        const shared = theirs & ours;
        if (shared !== theirs) isSmaller = false;
        if (shared !== ours) isLarger = false;
      }
      this.compared += used.length;
      if (isSmaller) return true;
      const next = sets[set] as number;
      if (isLarger) {
        if (before === 0) this.#rows[first] = next;
        else sets[before] = next;
        sets[set] = this.#freeSet;
        this.#freeSet = set;
        this.count--;
      } else before = set;
      set = next;
    }
    return false;
  }

  /** 0: there is no memory left. */
  #takeSet(otherBytes: number): number {
    const free = this.#freeSet;
    if (free !== 0) {
      this.#freeSet = this.#sets[free] as number;
      return free;
    }
    if (this.#setEnd + this.#setWords > this.#sets.length) {
      if (!this.#mayTake(this.#sets.byteLength * 2, otherBytes)) return 0;
      const sets = new Int32Array(this.#sets.length * 2);
      sets.set(this.#sets);
      this.#sets = sets;
    }
    const set = this.#setEnd;
    this.#setEnd += this.#setWords;
    return set;
  }

  #growRows(otherBytes: number): boolean {
    if (!this.#mayTake(this.#rows.byteLength * 2, otherBytes)) return false;
    const words = this.key.length + 1;
    const old = this.#rows;
    const mask = this.#slotCount * 2 - 1;
    const rows = new Int32Array(old.length * 2);
    for (let row = 0; row < old.length; row += words) {
      if (old[row + words - 1] === 0) continue;
      let slot = hashWords(old, row, words - 1) & mask;
      while (rows[slot * words + words - 1] !== 0) slot = (slot + 1) & mask;
      for (let at = 0; at < words; at++) rows[slot * words + at] = old[row + at] as number;
    }
    this.#rows = rows;
    this.#slotCount *= 2;
    return true;
  }

  /** While a table grows, both the old and the new one exist. */
  #mayTake(bytes: number, otherBytes: number): boolean {
    const wordsMax = 2 ** 31 - 1;
    return bytes / 4 <= wordsMax && this.bytes + otherBytes + bytes <= this.#bytesMax;
  }
}

function hashWords(words: Int32Array, from: number, count: number): number {
  let hash = count;
  for (let at = from; at < from + count; at++) {
    hash = Math.imul(hash ^ (words[at] as number), 0x85ebca6b);
    hash ^= hash >>> 15;
  }
  hash = Math.imul(hash, 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
