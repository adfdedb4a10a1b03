/**
 * A log in memory for tests of raft: a driver's log without a disk. `entries` limits by data bytes
 * plus a constant, as the node does for its own tail.
 */
import { invariant } from "../base/invariant.js";
import { entryBytes } from "./log/entry-bytes.js";
import type { ConfState, Entry, HardState, LogStorage, SnapshotMeta } from "./types.js";

export class MemoryLog implements LogStorage {
  hardState: HardState = { term: 0, vote: 0n, commit: 0 };
  /** The newest snapshot that can be sent. It moves independently of compaction. */
  latestSnapshot: () => SnapshotMeta | undefined;
  #base: { readonly index: number; readonly term: number };
  #confState: ConfState;
  #entries: Entry[] = [];

  constructor(start: SnapshotMeta) {
    this.#base = start;
    this.#confState = start.confState;
    this.latestSnapshot = () => start;
  }

  initialState(): { readonly hardState: HardState; readonly confState: ConfState } {
    return { hardState: this.hardState, confState: this.#confState };
  }

  firstIndex(): number {
    return this.#base.index + 1;
  }

  lastIndex(): number {
    return this.#base.index + this.#entries.length;
  }

  term(index: number): number | undefined {
    if (index === this.#base.index) return this.#base.term;
    return this.#entries[index - this.#base.index - 1]?.term;
  }

  entries(low: number, high: number, bytesMax: number): readonly Entry[] | undefined {
    if (low < this.firstIndex()) return undefined;
    invariant(high <= this.lastIndex() + 1, "read beyond the log", () => ({ low, high }));
    const all = this.#entries.slice(low - this.firstIndex(), high - this.firstIndex());
    let bytes = 0;
    const end = all.findIndex((entry, at) => {
      bytes += entryBytes(entry);
      return bytes > bytesMax && at > 0;
    });
    return end === -1 ? all : all.slice(0, end);
  }

  snapshot(): SnapshotMeta | undefined {
    return this.latestSnapshot();
  }

  append(entries: readonly Entry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    invariant(first.index <= this.lastIndex() + 1, "a gap in the log");
    const skipped = Math.max(0, this.firstIndex() - first.index);
    const kept = Math.max(0, first.index - this.firstIndex());
    this.#entries = [...this.#entries.slice(0, kept), ...entries.slice(skipped)];
  }

  restore(snapshot: SnapshotMeta): void {
    this.#base = snapshot;
    this.#confState = snapshot.confState;
    this.#entries = [];
  }

  /** Drops the entries up to and including `index`. */
  compact(index: number): void {
    const term = this.term(index);
    invariant(term !== undefined, "compaction within the log");
    this.#entries = this.#entries.slice(index - this.#base.index);
    this.#base = { index, term };
  }
}
