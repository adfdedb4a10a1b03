/** Reads the records of a log, batch by batch, and computes the log's content from them. */
import { copyBytes } from "../base/bytes.js";
import { DamageError, rebuildAdvice } from "../base/errors.js";
import type { Entry, HardState, SnapshotMeta } from "../raft/types.js";
import { type Frame, RecordType } from "./frame.js";
import { decodeMeta, readEntry, readHardState, type SegmentStart } from "./payload.js";

export interface LogContent {
  readonly hardState: HardState;
  /** The log continues this state. Undefined: the log goes back to the founding. */
  readonly snapshot: SnapshotMeta | undefined;
  /** The entries after the snapshot, without a gap. */
  readonly entries: readonly Entry[];
  /** The notes given to `Wal.note`, oldest first, as far back as segments are kept. */
  readonly notes: readonly Uint8Array[];
}

export class LogFold {
  #entries: Entry[] = [];
  #hardState: HardState = { term: 0, vote: 0n, commit: 0 };
  #marker: SnapshotMeta | undefined;
  readonly #notes: Uint8Array[] = [];
  /** Records of a batch whose end has not been read yet. */
  #batch: { readonly frame: Frame; readonly place: string }[] = [];

  /** Begins a segment. Its start repeats what the earlier segments said. */
  begin(start: SegmentStart): void {
    this.#hardState = start.hardState;
    this.#marker = start.marker;
  }

  /** `place` says where the record stands. @throws DamageError if it cannot follow the others */
  add(frame: Frame, place: string): void {
    if (!frame.isBatchEnd) {
      this.#batch.push({ frame, place });
      return;
    }
    for (const earlier of this.#batch) this.#apply(earlier.frame, earlier.place);
    this.#batch = [];
    this.#apply(frame, place);
  }

  /** Drops a batch whose end is missing. */
  dropUnfinished(): void {
    this.#batch = [];
  }

  /** The first index that a restart needs from this log. */
  firstNeeded(): number {
    return (this.#marker?.index ?? 0) + 1;
  }

  /** @throws DamageError when entries are missing at the front */
  content(): LogContent {
    const needed = this.firstNeeded();
    const entries = this.#entries.filter((entry) => entry.index >= needed);
    const first = entries[0];
    if (first !== undefined && first.index > needed) {
      throw new DamageError({
        finding: `the write-ahead log begins at entry ${first.index}, but is needed from ${needed} on`,
        advice: rebuildAdvice,
      });
    }
    return { hardState: this.#hardState, snapshot: this.#marker, entries, notes: this.#notes };
  }

  #apply(frame: Frame, place: string): void {
    switch (frame.type) {
      case RecordType.entry:
        this.#append(readEntry(frame.payload), place);
        break;
      case RecordType.hardState:
        this.#hardState = readHardState(frame.payload);
        break;
      case RecordType.installed:
        this.#marker = decodeMeta(frame.payload);
        this.#entries = [];
        break;
      case RecordType.compacted:
        this.#marker = decodeMeta(frame.payload);
        break;
      case RecordType.note:
        // A copy: it must not keep the segment's bytes in memory.
        this.#notes.push(copyBytes(frame.payload));
        break;
      case RecordType.seal:
        break;
      default:
        throw new DamageError({
          where: place,
          finding: `a record of unknown type ${frame.type}: it was written by a newer version of this program`,
          advice: "Start that version",
        });
    }
  }

  #append(entry: Entry, place: string): void {
    const first = this.#entries[0];
    const last = this.#entries.at(-1);
    if (first !== undefined && last !== undefined) {
      if (entry.index > last.index + 1) {
        throw new DamageError({
          where: place,
          finding: `entry ${entry.index} after entry ${last.index}: entries are missing`,
          advice: rebuildAdvice,
        });
      }
      if (entry.index <= last.index) {
        this.#entries.length = Math.max(0, entry.index - first.index);
      }
    }
    this.#entries.push(entry);
  }
}
