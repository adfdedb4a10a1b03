/**
 * The log in memory, as raft reads it: entries after a base, whose index and term are kept. The
 * driver appends here at once; the WAL makes the entries durable. The log grows with each append
 * until `compact` drops the front.
 */
import { invariant } from "../base/invariant.js";
import type { ConfState, Entry, HardState, LogStorage, SnapshotMeta } from "../raft/types.js";

/** Bytes of memory that an entry takes beside its data, for sums of sizes. */
const entryOverheadBytes = 24;
const noConf: ConfState = {
  voters: [],
  learners: [],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
};

export class MemoryLogStorage implements LogStorage {
  #baseIndex = 0;
  #baseTerm = 0;
  /** entries[i] has index baseIndex + 1 + i. */
  #entries: Entry[] = [];
  #bytes = 0;
  #hardState: HardState = { term: 0, vote: 0n, commit: 0 };
  #confState: ConfState = noConf;
  #snapshot: () => SnapshotMeta | undefined = () => undefined;

  /** Sets what raft starts from, and where its snapshots come from. */
  start(from: {
    readonly hardState: HardState;
    readonly confState: ConfState;
    readonly snapshot: () => SnapshotMeta | undefined;
  }): void {
    this.#hardState = from.hardState;
    this.#confState = from.confState;
    this.#snapshot = from.snapshot;
  }

  initialState(): { readonly hardState: HardState; readonly confState: ConfState } {
    return { hardState: this.#hardState, confState: this.#confState };
  }

  firstIndex(): number {
    return this.#baseIndex + 1;
  }

  lastIndex(): number {
    return this.#baseIndex + this.#entries.length;
  }

  term(index: number): number | undefined {
    if (index === this.#baseIndex) return this.#baseTerm;
    return this.#entries[index - this.#baseIndex - 1]?.term;
  }

  entries(low: number, high: number, bytesMax: number): readonly Entry[] | undefined {
    if (low <= this.#baseIndex) return undefined;
    const from = low - this.#baseIndex - 1;
    const end = Math.min(high - this.#baseIndex - 1, this.#entries.length);
    let bytes = 0;
    let to = from;
    for (; to < end; to++) {
      bytes += (this.#entries[to] as Entry).data.length + entryOverheadBytes;
      if (bytes > bytesMax && to > from) break;
    }
    return this.#entries.slice(from, to);
  }

  snapshot(): SnapshotMeta | undefined {
    return this.#snapshot();
  }

  /** The bytes of all entries held, roughly. */
  bytes(): number {
    return this.#bytes;
  }

  /** Continues the log, or replaces its tail from the first entry's index on. */
  append(entries: readonly Entry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    const keep = first.index - this.#baseIndex - 1;
    invariant(keep >= 0 && keep <= this.#entries.length, "the log would have a gap", () => ({
      first: first.index,
      base: this.#baseIndex,
      last: this.lastIndex(),
    }));
    for (const dropped of this.#entries.splice(keep)) this.#bytes -= sizeOf(dropped);
    for (const entry of entries) {
      this.#entries.push(entry);
      this.#bytes += sizeOf(entry);
    }
  }

  /** Forgets entries up to `index`. The term of `index` stays known. */
  compact(index: number): void {
    const term = this.term(index);
    invariant(term !== undefined, "compaction outside of the log", () => ({ index }));
    const dropped = this.#entries.slice(0, index - this.#baseIndex);
    for (const entry of dropped) this.#bytes -= sizeOf(entry);
    this.#entries = this.#entries.slice(index - this.#baseIndex);
    this.#baseIndex = index;
    this.#baseTerm = term;
  }

  /** Starts again after a snapshot, with an empty log. */
  restore(meta: SnapshotMeta): void {
    this.#baseIndex = meta.index;
    this.#baseTerm = meta.term;
    this.#confState = meta.confState;
    this.#entries = [];
    this.#bytes = 0;
  }
}

function sizeOf(entry: Entry): number {
  return entry.data.length + entryOverheadBytes;
}
