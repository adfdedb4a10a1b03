/**
 * One log made of two parts: the durable part in the storage and the tail in memory. It knows how
 * far it is committed, handed out and applied. Invariant: applied <= applying <= committed <= last
 * index. It never reorders, and never removes a committed entry.
 */
import { invariant } from "../../base/invariant.js";
import { type Entry, EntryType, type LogStorage, type SnapshotMeta } from "../types.js";
import { ApplyWindow } from "./apply-window.js";
import { entryBytes } from "./entry-bytes.js";
import { Unstable } from "./unstable.js";

export interface RaftLogOptions {
  readonly applyBytesMax: number;
  /** See RaftVariants. */
  readonly applyBeforeDurable: boolean;
  readonly appliedIndex: number;
}

export class RaftLog {
  readonly unstable: Unstable;
  readonly #storage: LogStorage;
  readonly #options: RaftLogOptions;
  readonly #window: ApplyWindow;
  #committed: number;
  #applying: number;
  #applied: number;

  constructor(storage: LogStorage, commit: number, options: RaftLogOptions) {
    this.#storage = storage;
    this.#options = options;
    this.#window = new ApplyWindow(options.applyBytesMax);
    this.unstable = new Unstable(storage.lastIndex() + 1);
    const compacted = storage.firstIndex() - 1;
    const applied = Math.max(compacted, options.appliedIndex);
    // The stored commit index is written without an fsync and may lag. Applied entries are
    // committed.
    this.#committed = Math.max(commit, applied);
    this.#applying = applied;
    this.#applied = applied;
    invariant(this.#committed <= storage.lastIndex(), "the log lacks committed entries", () => ({
      commit,
      applied,
      lastIndex: storage.lastIndex(),
    }));
  }

  get committed(): number {
    return this.#committed;
  }

  get applied(): number {
    return this.#applied;
  }

  firstIndex(): number {
    const { snapshot } = this.unstable;
    return snapshot === undefined ? this.#storage.firstIndex() : snapshot.index + 1;
  }

  lastIndex(): number {
    return this.unstable.lastIndex() ?? this.#storage.lastIndex();
  }

  lastTerm(): number {
    const term = this.term(this.lastIndex());
    invariant(term !== undefined, "the last entry has a term");
    return term;
  }

  /** The term of the entry at `index`. Undefined: it is compacted away, or not there yet. */
  term(index: number): number | undefined {
    const term = this.unstable.term(index);
    if (term !== undefined) return term;
    if (index + 1 < this.firstIndex() || index > this.lastIndex()) return undefined;
    return this.#storage.term(index);
  }

  matches(index: number, term: number): boolean {
    return this.term(index) === term;
  }

  /**
   * True if a log that ends there is at least as complete as this one: a later last term, or the
   * same term and not shorter (Raft paper, section 5.4.1).
   */
  isUpToDate(lastTerm: number, lastIndex: number): boolean {
    const ours = this.lastTerm();
    return lastTerm > ours || (lastTerm === ours && lastIndex >= this.lastIndex());
  }

  /** Entries from `low` on, at least one if there is one. Undefined: compacted away. */
  entriesFrom(low: number, bytesMax: number): readonly Entry[] | undefined {
    const high = this.lastIndex() + 1;
    return low >= high ? [] : this.slice(low, high, bytesMax);
  }

  /** Entries in [low, high), within `bytesMax` but at least one; undefined: compacted away. */
  slice(low: number, high: number, bytesMax: number): readonly Entry[] | undefined {
    if (low < this.firstIndex()) return undefined;
    const { offset } = this.unstable;
    if (low >= offset) return this.#unstableSlice({ low, high, bytesMax, atLeastOne: true });
    const cut = Math.min(high, offset);
    const stored = this.#storage.entries(low, cut, bytesMax);
    if (stored === undefined || high <= offset || stored.length < cut - low) return stored;
    let bytes = 0;
    for (const entry of stored) bytes += entryBytes(entry);
    const room = { low: offset, high, bytesMax: bytesMax - bytes, atLeastOne: false };
    return [...stored, ...this.#unstableSlice(room)];
  }

  snapshot(): SnapshotMeta | undefined {
    return this.unstable.snapshot ?? this.#storage.snapshot();
  }

  /** Appends a leader's own entries. */
  append(entries: readonly Entry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    invariant(first.index > this.#committed, "a committed entry is never replaced", () => ({
      index: first.index,
      committed: this.#committed,
    }));
    this.unstable.append(entries);
  }

  /**
   * Appends a leader's entries if they follow (prevIndex, prevTerm), replacing what conflicts.
   * Entries that are already there stay untouched: an old message must not cut a newer tail.
   *
   * @returns the last index that is now known to equal the leader's; undefined: they do not follow
   */
  appendAfter(
    previous: { readonly index: number; readonly term: number },
    entries: readonly Entry[],
  ): number | undefined {
    if (!this.matches(previous.index, previous.term)) return undefined;
    let same = 0;
    for (const entry of entries) {
      if (!this.matches(entry.index, entry.term)) break;
      same++;
    }
    if (same < entries.length) this.append(same === 0 ? entries : entries.slice(same));
    return previous.index + entries.length;
  }

  /**
   * Where this log may still agree with another one that has `term` at `index`: the highest index
   * up to there whose term is not above `term`. The returned term is 0 when unknown.
   */
  findConflictByTerm(index: number, term: number): { index: number; term: number } {
    for (let at = index; at > 0; at--) {
      const ours = this.term(at);
      if (ours === undefined) return { index: at, term: 0 };
      if (ours <= term) return { index: at, term: ours };
    }
    return { index: 0, term: 0 };
  }

  /** Moves the commit index, and never back. */
  commitTo(index: number): void {
    if (index <= this.#committed) return;
    invariant(index <= this.lastIndex(), "a commit index beyond the log: was the log cut?", () => ({
      index,
      lastIndex: this.lastIndex(),
    }));
    this.#committed = index;
  }

  restore(snapshot: SnapshotMeta): void {
    this.#committed = snapshot.index;
    this.unstable.restore(snapshot);
  }

  hasNextToApply(): boolean {
    if (this.#window.isPaused || this.unstable.snapshot !== undefined) return false;
    return this.#applying < this.#appliableIndex();
  }

  /** The next page to apply; empty when there is none now. */
  takeToApply(): readonly Entry[] {
    if (!this.hasNextToApply()) return [];
    const high = this.#appliableIndex();
    const page = this.slice(this.#applying + 1, high + 1, this.#window.roomBytes());
    invariant(page !== undefined && page.length > 0, "unapplied entries were compacted away");
    this.#applying = (page.at(-1) as Entry).index;
    this.#window.add(page, this.#applying < high);
    return page;
  }

  /** @returns the data bytes of the pages that are done with this */
  appliedTo(index: number): number {
    invariant(index <= this.#committed, "applied beyond the commit index", () => ({ index }));
    this.#applied = Math.max(this.#applied, index);
    this.#applying = Math.max(this.#applying, this.#applied);
    return this.#window.applied(index);
  }

  /** True if a committed configuration change waits to be applied. Scans in pages. */
  hasUnappliedConfChange(): boolean {
    let low = this.#applied + 1;
    while (low <= this.#committed) {
      const page = this.slice(low, this.#committed + 1, this.#options.applyBytesMax);
      invariant(page !== undefined && page.length > 0, "unapplied entries were compacted away");
      if (page.some((entry) => entry.type !== EntryType.normal)) return true;
      low += page.length;
    }
    return false;
  }

  #appliableIndex(): number {
    if (this.#options.applyBeforeDurable) return this.#committed;
    return Math.min(this.#committed, this.unstable.offset - 1);
  }

  #unstableSlice(range: {
    readonly low: number;
    readonly high: number;
    readonly bytesMax: number;
    readonly atLeastOne: boolean;
  }): readonly Entry[] {
    const { low, high, bytesMax, atLeastOne } = range;
    let bytes = 0;
    let end = low;
    while (end < high) {
      bytes += entryBytes(this.unstable.entry(end));
      if (bytes > bytesMax && !(atLeastOne && end === low)) break;
      end++;
    }
    return this.unstable.slice(low, end);
  }
}
