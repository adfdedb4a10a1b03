/**
 * The write-ahead log. Batches become durable in call order, each all or not at all. Batches handed
 * over while a sync runs leave together in the next write. After a failed write or sync the log is
 * closed for good: the page cache may have dropped the bytes, so a retry would prove nothing.
 *
 * When a sync ends and nothing waits, the next flush begins at once with a seal: an empty record,
 * written ahead without a sync. It proves that everything before it was durable (see recovery.ts).
 * The flush writes it once more, so that nobody has to wait for the write ahead.
 */
import { StartError } from "../base/errors.js";
import { invariant } from "../base/invariant.js";
import type { Disk, DiskFile } from "../platform/disk.js";
import type { HardState, SnapshotMeta } from "../raft/types.js";
import { frameBytesOf, RecordType } from "./frame.js";
import { FrameBuffer } from "./frame-buffer.js";
import { encodeWalMeta, type LogIdentity, type SegmentStart, startWith } from "./payload.js";
import {
  type Recovered,
  type RecoveredTail,
  recover,
  recoverInSlices,
  type SliceBudget,
} from "./recovery.js";
import {
  listSegments,
  removeDraft,
  SegmentFactory,
  type SegmentName,
  segmentAfter,
  segmentHead,
} from "./segments.js";
import type { Wal, WalBatch, WalExtent, WalOptions } from "./types.js";

export type { LogIdentity } from "./payload.js";
export type { Recovered } from "./recovery.js";
export type { Wal, WalExtent, WalOptions } from "./types.js";

/** Creates an empty log after `marker` (undefined: from 1 on). @throws StartError if one exists */
export function createWal(
  disk: Disk,
  founding: {
    readonly metadata: LogIdentity;
    /** Random 32 bits. */
    readonly salt: number;
    readonly hardState: HardState;
    readonly marker: SnapshotMeta | undefined;
  },
  options: WalOptions,
): Wal {
  if (listSegments(disk, options.dir).length > 0) {
    throw new StartError(`"${options.dir}" holds a log already`);
  }
  disk.makeDir(options.dir);
  disk.syncDir("");
  const { metadata, salt, hardState, marker } = founding;
  const start = { ...metadata, salt, chain: 0, hardState, marker };
  const wal = new SegmentedWal(disk, options, { start, lastIndex: marker?.index ?? 0 });
  wal.found();
  return wal;
}

/**
 * Opens the log for appending and returns its content, all of it durable: even bytes that a crash
 * of the process, or a failed sync, left only in the page cache. @throws DamageError, StartError
 */
export function openWal(
  disk: Disk,
  options: WalOptions,
): { readonly wal: Wal; readonly recovered: Recovered } {
  return openRecovered(disk, options, recover(disk, options.dir));
}

/** The same with pauses, in which nothing may write to the log. @throws DamageError, StartError */
export function* openWalInSlices(
  disk: Disk,
  options: WalOptions,
  budget: SliceBudget,
): Generator<undefined, { readonly wal: Wal; readonly recovered: Recovered }> {
  return openRecovered(disk, options, yield* recoverInSlices(disk, options.dir, budget));
}

function openRecovered(
  disk: Disk,
  options: WalOptions,
  { recovered, tail }: ReturnType<typeof recover>,
): { readonly wal: Wal; readonly recovered: Recovered } {
  const { hardState, snapshot } = recovered;
  const wal = new SegmentedWal(disk, options, {
    start: { ...tail.start, chain: tail.chain, hardState, marker: snapshot },
    lastIndex: recovered.entries.at(-1)?.index ?? snapshot?.index ?? 0,
  });
  wal.resume(tail);
  return { wal, recovered };
}

const noBytes = new Uint8Array(0);
const sealBytes = frameBytesOf(0);

class SegmentedWal implements Wal {
  readonly #disk: Disk;
  readonly #dir: string;
  readonly #factory: SegmentFactory;
  #segments: SegmentName[] = [];
  /** The start of a segment that would follow everything handed over, and everything written. */
  #start: SegmentStart;
  #writtenStart: SegmentStart;
  #lastIndex: number;
  #file: DiskFile | undefined;
  #offset = 0;
  #durable = { offset: 0, chain: 0 };
  #fileBytes = 0;
  #pending: FrameBuffer;
  #spare: FrameBuffer;
  #waiting: (() => void)[] = [];
  #notes: { readonly make: () => Uint8Array | undefined; readonly written: () => void }[] = [];
  #mustSync = false;
  #isSyncing = false;
  /** True while bytes stand in the file before `#offset` that the next flush must make durable. */
  #hasUnsynced = false;
  /** The part of `#pending` that was written ahead at `#offset`. `start` continues after it. */
  #ahead: { readonly bytes: number; readonly start: SegmentStart } | undefined;
  #isClosed = false;
  #onFailure: (error: Error) => void = () => {};
  #failure: Error | undefined;
  #syncs = 0;
  #bytes = 0;

  constructor(
    disk: Disk,
    options: WalOptions,
    from: { readonly start: SegmentStart; readonly lastIndex: number },
  ) {
    this.#disk = disk;
    this.#dir = options.dir;
    this.#factory = new SegmentFactory(disk, options);
    this.#start = from.start;
    this.#writtenStart = from.start;
    this.#lastIndex = from.lastIndex;
    this.#pending = new FrameBuffer(from.start.salt);
    this.#spare = new FrameBuffer(from.start.salt);
    this.#pending.begin(from.start.chain);
  }

  /** Creates the first segment of a new log. */
  found(): void {
    removeDraft(this.#disk, this.#dir);
    this.#rotate(0);
  }

  /** Continues after the recovered part, which is written and synced again first. */
  resume(tail: RecoveredTail): void {
    removeDraft(this.#disk, this.#dir);
    this.#segments = [...tail.segments];
    const last = tail.segments.at(-1) as SegmentName;
    const file = this.#disk.open(`${this.#dir}/${last.name}`, "existing");
    this.#file = file;
    this.#fileBytes = file.size();
    this.#offset = tail.flushOffset + tail.flushBytes.length;
    // Pages of a failed sync count as clean, so only a new write brings them to the disk.
    if (tail.flushBytes.length > 0) file.write(tail.flushOffset, tail.flushBytes);
    if (tail.tornBytes > 0) file.write(this.#offset, new Uint8Array(tail.tornBytes));
    file.syncNow();
    this.#disk.syncDir(this.#dir);
    this.#durable = { offset: this.#offset, chain: tail.chain };
    this.#writeAhead();
  }

  append(batch: WalBatch, done: () => void): void {
    if (this.#isClosed) return;
    const { entries, hardState, snapshot } = batch;
    const pending = this.#pending;
    let records = entries.length + (hardState === undefined ? 0 : 1);
    if (snapshot !== undefined) {
      this.#start = { ...this.#start, marker: snapshot };
      this.#lastIndex = snapshot.index;
      pending.addRecord(RecordType.installed, encodeWalMeta(snapshot), records > 0);
    }
    for (const entry of entries) {
      this.#continueAt(entry.index);
      pending.addEntry(entry, --records > 0);
    }
    if (hardState !== undefined) {
      this.#start = startWith(this.#start, this.#start.chain, hardState);
      pending.addHardState(hardState, false);
    }
    this.#enqueue(batch.mustSync || entries.length > 0 || snapshot !== undefined, done);
  }

  isIdle(): boolean {
    return !this.#isSyncing && !this.#mustSync && !this.#isClosed;
  }

  saveSnapshot(meta: SnapshotMeta, done: () => void): void {
    // A snapshot that is being installed may be ahead of the state that was just made durable. The
    // marker must not move back before it: those entries are gone.
    if (this.#isClosed || meta.index <= (this.#start.marker?.index ?? 0)) return;
    invariant(meta.index <= this.#lastIndex, "a snapshot ahead of the log", () => ({
      index: meta.index,
      last: this.#lastIndex,
    }));
    this.#start = { ...this.#start, marker: meta };
    this.#pending.addRecord(RecordType.compacted, encodeWalMeta(meta), false);
    this.#enqueue(true, done);
  }

  note(make: () => Uint8Array | undefined, written: () => void): void {
    if (this.#isClosed) return;
    this.#notes.push({ make, written });
    if (!this.#isSyncing) this.#writeNotes();
  }

  purge(index: number): void {
    if (this.#isClosed) return;
    for (let next = this.#segments[1]; next !== undefined; next = this.#segments[1]) {
      if (next.firstIndex - 1 > index) break;
      const [gone] = this.#segments.splice(0, 1) as [SegmentName];
      this.#disk.remove(`${this.#dir}/${gone.name}`);
      // Segments are removed one by one: a crash must not leave an older one without the next one.
      this.#disk.syncDir(this.#dir);
    }
  }

  onFailure(fn: (error: Error) => void): void {
    this.#onFailure = fn;
    if (this.#failure !== undefined) fn(this.#failure);
  }

  stats(): { readonly syncs: number; readonly bytes: number } {
    return { syncs: this.#syncs, bytes: this.#bytes };
  }

  extent(): WalExtent {
    return { dir: this.#dir, segments: [...this.#segments], durable: this.#durable };
  }

  close(): void {
    this.#isClosed = true;
    this.#file?.close();
    this.#file = undefined;
    this.#factory.close();
  }

  #continueAt(index: number): void {
    const marker = this.#start.marker?.index ?? 0;
    invariant(index > marker && index <= this.#lastIndex + 1, "the log would have a gap", () => ({
      index,
      last: this.#lastIndex,
      marker,
    }));
    this.#lastIndex = index;
  }

  #enqueue(mustSync: boolean, done: () => void): void {
    this.#waiting.push(done);
    if (mustSync) this.#mustSync = true;
    if (this.#mustSync && !this.#isSyncing) this.#flush();
  }

  #flush(): void {
    const buffer = this.#pending;
    const done = this.#waiting;
    this.#waiting = [];
    this.#mustSync = false;
    this.#isSyncing = true;
    try {
      const { length } = buffer.bytes();
      if (this.#offset + length > this.#fileBytes) this.#rotate(length);
      const { at, bytes } = this.#take();
      const written = { offset: this.#offset, chain: buffer.chain() };
      this.#file?.writeAndSync(at, bytes, (error) => {
        if (this.#isClosed) return;
        if (error === undefined) this.#flushed(written, done);
        else this.#fail(error);
      });
    } catch (error) {
      this.#fail(error as Error);
      return;
    }
    this.#hasUnsynced = false;
    this.#pending = this.#spare;
    this.#spare = buffer;
    this.#pending.begin(buffer.chain());
    // The disk is busy, so this is a good time to prepare the next segment.
    this.#factory.prepare();
  }

  #flushed(written: WalExtent["durable"], done: readonly (() => void)[]): void {
    this.#isSyncing = false;
    this.#syncs++;
    this.#durable = written;
    // Batches without a sync of their own only waited for earlier batches.
    const unsynced = this.#mustSync ? [] : this.#waiting.splice(0);
    if (this.#notes.length > 0) this.#writeNotes();
    if (this.#mustSync) this.#flush();
    for (const fn of done) fn();
    for (const fn of unsynced) fn();
    if (!this.#isSyncing) this.#writeAhead();
  }

  /** Takes the pending bytes, for the caller to write at `at`: after everything written. */
  #take(): { readonly at: number; readonly bytes: Uint8Array } {
    const at = this.#offset;
    const bytes = this.#pending.bytes();
    this.#offset += bytes.length;
    this.#bytes += bytes.length;
    this.#writtenStart = startWith(this.#start, this.#pending.chain());
    this.#ahead = undefined;
    return { at, bytes };
  }

  /** Call when everything written is durable and nothing waits: writes the seal. */
  #writeAhead(): void {
    if (this.#isClosed) return;
    const buffer = this.#pending;
    if (buffer.isEmpty()) {
      if (this.#hasUnsynced || this.#offset + sealBytes > this.#fileBytes) return;
      buffer.addRecord(RecordType.seal, noBytes, false);
    }
    const bytes = buffer.bytes();
    if (this.#offset + bytes.length > this.#fileBytes) return;
    try {
      this.#file?.writeAhead(this.#offset, bytes);
    } catch (error) {
      this.#fail(error as Error);
      return;
    }
    this.#ahead = { bytes: bytes.length, start: startWith(this.#start, buffer.chain()) };
  }

  #writeNotes(): void {
    const notes = this.#notes.splice(0);
    for (const { make } of notes) {
      const payload = make();
      if (payload !== undefined) this.#pending.addRecord(RecordType.note, payload, false);
    }
    if (!this.#pending.isEmpty()) this.#writePart();
    if (this.#isClosed) return;
    for (const { written } of notes) written();
  }

  /** Writes what is pending apart from the rest of its flush, without a sync. */
  #writePart(): void {
    const buffer = this.#pending;
    try {
      const { length } = buffer.bytes();
      if (this.#offset + length > this.#fileBytes) this.#rotate(length);
      const { at, bytes } = this.#take();
      this.#file?.write(at, bytes);
      buffer.taken(bytes.length);
    } catch (error) {
      this.#fail(error as Error);
      return;
    }
    this.#hasUnsynced = true;
  }

  /**
   * The bytes that were written ahead stay in this file. The rest of their flush goes into the next
   * one.
   */
  #settleAhead(): void {
    if (this.#ahead === undefined) return;
    const { bytes, start } = this.#ahead;
    this.#ahead = undefined;
    this.#file?.write(this.#offset, this.#pending.bytes().subarray(0, bytes));
    this.#pending.taken(bytes);
    this.#offset += bytes;
    this.#bytes += bytes;
    this.#writtenStart = start;
    this.#hasUnsynced = true;
  }

  /**
   * Starts a segment with room for `roomBytes`. Everything written so far becomes durable first.
   */
  #rotate(roomBytes: number): void {
    this.#settleAhead();
    if (this.#hasUnsynced) this.#file?.syncNow();
    const firstIndex = this.#pending.firstIndex() ?? this.#lastIndex + 1;
    const segment = segmentAfter(this.#segments.at(-1), firstIndex);
    const head = segmentHead(this.#writtenStart);
    const file = this.#factory.create(segment, head, roomBytes);
    this.#file?.close();
    this.#file = file;
    this.#segments.push(segment);
    this.#offset = head.length;
    this.#durable = { offset: this.#offset, chain: this.#writtenStart.chain };
    this.#fileBytes = file.size();
  }

  #fail(error: Error): void {
    this.close();
    this.#failure = error;
    this.#onFailure(error);
  }
}
