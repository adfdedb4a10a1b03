/**
 * The tail of the log that is not yet known to be durable: entries not handed out, and entries
 * whose write is under way. It shadows the storage, so the node never depends on how far a write
 * got.
 *
 * Writes become durable in the order they were handed out. Each is remembered until its `persisted`
 * comes. When a later entry replaces part of a write, only the rest of it still counts. So an old
 * write that ends late can never confirm a newer entry of the same index, not even one with the
 * same term (A, then B, then A again at one index).
 */
import { invariant } from "../../base/invariant.js";
import type { Entry, SnapshotMeta } from "../types.js";

interface Write {
  readonly index: number;
  readonly term: number;
  /** The last index of this write that no later write has replaced. */
  stands: number;
}

export class Unstable {
  /** entries[i] has index offset + i. */
  #entries: Entry[] = [];
  #offset: number;
  /** One past the last entry that was handed out to be written. */
  #handedOut: number;
  #writes: Write[] = [];
  #snapshot: SnapshotMeta | undefined;
  #isSnapshotHandedOut = false;

  constructor(firstIndex: number) {
    this.#offset = firstIndex;
    this.#handedOut = firstIndex;
  }

  /** The first index of this tail. Everything below is durable in the storage. */
  get offset(): number {
    return this.#offset;
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  /** A snapshot that was received and is not installed yet. */
  get snapshot(): SnapshotMeta | undefined {
    return this.#snapshot;
  }

  lastIndex(): number | undefined {
    if (this.#entries.length > 0) return this.#offset + this.#entries.length - 1;
    return this.#snapshot?.index;
  }

  term(index: number): number | undefined {
    if (index >= this.#offset) return this.#entries[index - this.#offset]?.term;
    return this.#snapshot?.index === index ? this.#snapshot.term : undefined;
  }

  /** The entries in [low, high); both within the tail. */
  slice(low: number, high: number): readonly Entry[] {
    return this.#entries.slice(low - this.#offset, high - this.#offset);
  }

  entry(index: number): Entry {
    return this.#entries[index - this.#offset] as Entry;
  }

  hasNext(): boolean {
    return this.#handedOut < this.#offset + this.#entries.length;
  }

  hasNextSnapshot(): boolean {
    return this.#snapshot !== undefined && !this.#isSnapshotHandedOut;
  }

  /** Hands out the entries that were not handed out before. */
  takeEntries(): readonly Entry[] {
    const entries = this.#entries.slice(this.#handedOut - this.#offset);
    const last = entries.at(-1);
    if (last !== undefined) {
      this.#handedOut = last.index + 1;
      this.#writes.push({ index: last.index, term: last.term, stands: last.index });
    }
    return entries;
  }

  takeSnapshot(): SnapshotMeta | undefined {
    if (this.#isSnapshotHandedOut) return undefined;
    this.#isSnapshotHandedOut = this.#snapshot !== undefined;
    return this.#snapshot;
  }

  /** Continues the log, or replaces its tail from the first entry on. */
  append(entries: readonly Entry[]): void {
    const from = (entries[0] as Entry).index;
    const end = this.#offset + this.#entries.length;
    invariant(from <= end, "appended entries leave a gap", () => ({ from, end }));
    if (from < end || from < this.#offset) this.#truncate(from);
    for (const entry of entries) this.#entries.push(entry);
  }

  /** Call when the oldest write under way is durable. */
  persisted(index: number, term: number): void {
    const write = this.#writes.shift();
    invariant(
      write !== undefined && write.index === index && write.term === term,
      "writes are reported durable once each, in order",
      () => ({ index, term, expected: write?.index, expectedTerm: write?.term }),
    );
    if (write.stands < this.#offset) return;
    this.#entries.splice(0, write.stands + 1 - this.#offset);
    this.#offset = write.stands + 1;
  }

  snapshotInstalled(index: number): void {
    if (this.#snapshot?.index !== index) return;
    this.#snapshot = undefined;
    this.#isSnapshotHandedOut = false;
  }

  /** Replaces the whole log by the snapshot. */
  restore(snapshot: SnapshotMeta): void {
    this.#entries = [];
    this.#offset = snapshot.index + 1;
    this.#handedOut = this.#offset;
    for (const write of this.#writes) write.stands = 0;
    this.#snapshot = snapshot;
    this.#isSnapshotHandedOut = false;
  }

  #truncate(from: number): void {
    if (from < this.#offset) {
      this.#entries = [];
      this.#offset = from;
    } else {
      this.#entries.length = from - this.#offset;
    }
    this.#handedOut = Math.min(this.#handedOut, from);
    for (const write of this.#writes) write.stands = Math.min(write.stands, from - 1);
  }
}
