/**
 * The write-ahead log: batches become durable in call order; a crash keeps all that was acknowledged
 * and of the rest a prefix of its records. Batches that are handed over while a sync runs leave
 * together in the next write. After a failed write or sync the log is closed for good: the page
 * cache may have dropped the bytes, a retry would lie.
 */
import { StartError } from "../base/errors.js";
import { invariant } from "../base/invariant.js";
import type { Disk, DiskFile } from "../platform/disk.js";
import type { Entry, HardState, SnapshotMeta } from "../raft/types.js";
import { FrameBuffer } from "./frame-buffer.js";
import {
  encodeMeta,
  encodeStart,
  frameBytesOf,
  headerBytes,
  RecordType,
  type SegmentStart,
  sealFrame,
} from "./record.js";
import { listSegments, type Recovered, recover, type SegmentName } from "./recovery.js";

export type { Recovered } from "./recovery.js";

export interface WalOptions {
  /** Folder below the data directory. */
  readonly dir: string;
  /** Preallocated size of a segment; a larger batch makes a larger segment. */
  readonly segmentBytes: number;
}

export interface WalMetadata {
  readonly clusterId: bigint;
  readonly memberId: bigint;
}

export interface WalBatch {
  readonly hardState: HardState | undefined;
  /** Continue the log without a gap; an index already present replaces the tail from there. */
  readonly entries: readonly Entry[];
  /** The log begins anew after this state. Comes before `entries`. */
  readonly snapshot: SnapshotMeta | undefined;
  /**
   * False: needs no sync of its own. Its bytes leave with the next batch that does; `done` is called
   * when a sync that runs now has ended, else with that next batch.
   */
  readonly mustSync: boolean;
}

export interface Wal {
  /** Calls `done` once, never inside this call, when the batch is durable; never after a failure. */
  append(batch: WalBatch, done: () => void): void;
  /** True when all that was appended and must be durable is. */
  isIdle(): boolean;
  /** Marks that entries up to here are no longer needed; then `purge` may follow. */
  saveSnapshot(meta: SnapshotMeta, done: () => void): void;
  /** Removes whole segments whose entries are all <= `index`; the last segment stays. */
  purge(index: number): void;
  /** `fn` is called once, when the disk failed; the member must stop. */
  onFailure(fn: (error: Error) => void): void;
  stats(): { readonly syncs: number; readonly bytes: number };
  close(): void;
}

/** Founds an empty log after `marker` (undefined: from index 1 on). @throws StartError if there is one. */
export function createWal(
  disk: Disk,
  founding: {
    readonly metadata: WalMetadata;
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
  const { metadata, hardState, marker } = founding;
  const start = { ...metadata, chain: 0, hardState, marker };
  const lastIndex = marker?.index ?? 0;
  const wal = new SegmentedWal(disk, options, { start, segments: [], lastIndex });
  wal.rotate(0);
  return wal;
}

/** Opens the log for appending and returns what it holds. @throws DamageError */
export function openWal(
  disk: Disk,
  options: WalOptions,
): { readonly wal: Wal; readonly recovered: Recovered } {
  const { recovered, tail } = recover(disk, options.dir);
  const last = tail.segments.at(-1) as SegmentName;
  const file = disk.open(`${options.dir}/${last.name}`, "existing");
  if (tail.tornBytes > 0) {
    file.write(tail.offset, new Uint8Array(tail.tornBytes));
    file.syncNow();
  }
  const { hardState, snapshot } = recovered;
  const wal = new SegmentedWal(disk, options, {
    start: { ...tail.start, chain: tail.chain, hardState, marker: snapshot },
    segments: tail.segments,
    lastIndex: recovered.entries.at(-1)?.index ?? snapshot?.index ?? 0,
  });
  wal.resume(file, tail.offset);
  return { wal, recovered };
}

class SegmentedWal implements Wal {
  readonly #disk: Disk;
  readonly #options: WalOptions;
  readonly #segments: SegmentName[];
  /** The newest hard state and marker, encoded; and those that are written, for a new segment. */
  #start: SegmentStart;
  #writtenStart: SegmentStart;
  #lastIndex: number;
  /** Chain after the last record written, and after the last one encoded. */
  #writtenChain: number;
  #encodedChain: number;
  #file: DiskFile | undefined;
  #offset = 0;
  #fileBytes = 0;
  #pending = new FrameBuffer();
  #spare = new FrameBuffer();
  #waiting: (() => void)[] = [];
  #mustSync = false;
  #isSyncing = false;
  #isClosed = false;
  #onFailure: (error: Error) => void = () => {};
  #failure: Error | undefined;
  #syncs = 0;
  #bytes = 0;

  constructor(
    disk: Disk,
    options: WalOptions,
    from: {
      readonly start: SegmentStart;
      readonly segments: readonly SegmentName[];
      readonly lastIndex: number;
    },
  ) {
    this.#disk = disk;
    this.#options = options;
    this.#segments = [...from.segments];
    this.#start = from.start;
    this.#writtenStart = from.start;
    this.#lastIndex = from.lastIndex;
    this.#writtenChain = from.start.chain;
    this.#encodedChain = from.start.chain;
  }

  /** Goes on in the last segment of a recovered log. */
  resume(file: DiskFile, offset: number): void {
    this.#file = file;
    this.#offset = offset;
    this.#fileBytes = file.size();
  }

  append(batch: WalBatch, done: () => void): void {
    if (this.#isClosed) return;
    if (batch.snapshot !== undefined) this.#mark(RecordType.installed, batch.snapshot);
    for (const entry of batch.entries) {
      invariant(
        entry.index <= this.#lastIndex + 1 || this.#lastIndex === 0,
        "the log would have a gap",
        () => ({ index: entry.index, last: this.#lastIndex }),
      );
      this.#encodedChain = this.#pending.addEntry(entry, this.#encodedChain);
      this.#lastIndex = entry.index;
    }
    if (batch.hardState !== undefined) {
      this.#start = { ...this.#start, hardState: batch.hardState };
      this.#encodedChain = this.#pending.addHardState(batch.hardState, this.#encodedChain);
    }
    this.#enqueue(batch.mustSync || batch.entries.length > 0 || batch.snapshot !== undefined, done);
  }

  isIdle(): boolean {
    return !this.#isSyncing && !this.#mustSync;
  }

  saveSnapshot(meta: SnapshotMeta, done: () => void): void {
    if (this.#isClosed) return;
    this.#mark(RecordType.compacted, meta);
    this.#enqueue(true, done);
  }

  purge(index: number): void {
    if (this.#isClosed) return;
    let removed = 0;
    for (let next = this.#segments[1]; next !== undefined; next = this.#segments[1]) {
      if (next.firstIndex - 1 > index) break;
      const [gone] = this.#segments.splice(0, 1) as [SegmentName];
      this.#disk.remove(`${this.#options.dir}/${gone.name}`);
      removed++;
    }
    if (removed > 0) this.#disk.syncDir(this.#options.dir);
  }

  onFailure(fn: (error: Error) => void): void {
    this.#onFailure = fn;
    if (this.#failure !== undefined) fn(this.#failure);
  }

  stats(): { readonly syncs: number; readonly bytes: number } {
    return { syncs: this.#syncs, bytes: this.#bytes };
  }

  close(): void {
    this.#isClosed = true;
    this.#file?.close();
  }

  #mark(type: RecordType, meta: SnapshotMeta): void {
    this.#start = { ...this.#start, marker: meta };
    if (type === RecordType.installed) this.#lastIndex = meta.index;
    this.#encodedChain = this.#pending.addRecord(type, encodeMeta(meta), this.#encodedChain);
  }

  #enqueue(mustSync: boolean, done: () => void): void {
    this.#waiting.push(done);
    if (mustSync) this.#mustSync = true;
    if (this.#mustSync && !this.#isSyncing) this.#flush();
  }

  #flush(): void {
    const buffer = this.#pending;
    const done = this.#waiting;
    this.#pending = this.#spare;
    this.#spare = buffer;
    this.#waiting = [];
    this.#mustSync = false;
    this.#isSyncing = true;
    const bytes = buffer.bytes();
    const start = this.#start;
    try {
      if (this.#offset + bytes.length > this.#fileBytes) this.rotate(bytes.length);
      (this.#file as DiskFile).write(this.#offset, bytes);
    } catch (error) {
      this.#fail(error as Error);
      return;
    }
    this.#offset += bytes.length;
    this.#writtenChain = buffer.chain();
    this.#writtenStart = start;
    this.#bytes += bytes.length;
    buffer.clear();
    (this.#file as DiskFile).sync((error) => {
      this.#isSyncing = false;
      if (this.#isClosed) return;
      if (error !== undefined) {
        this.#fail(error);
        return;
      }
      this.#syncs++;
      // What needs no sync of its own waited only for what was before it.
      const unsynced = this.#mustSync ? [] : this.#waiting.splice(0);
      if (this.#mustSync) this.#flush();
      for (const fn of done) fn();
      for (const fn of unsynced) fn();
    });
  }

  /** Starts a segment with room for `roomBytes` more; everything written so far is durable. */
  rotate(roomBytes: number): void {
    const { dir, segmentBytes } = this.#options;
    const sequence = (this.#segments.at(-1)?.sequence ?? -1) + 1;
    const firstIndex = this.#nextIndex();
    const name = `${hex16(sequence)}-${hex16(firstIndex)}.wal`;
    const draft = `${dir}/${name}.tmp`;
    if (this.#disk.exists(draft)) this.#disk.remove(draft);
    const file = this.#disk.open(draft, "create");
    const payload = encodeStart({ ...this.#writtenStart, chain: this.#writtenChain });
    const head = new Uint8Array(frameBytesOf(payload.length));
    head.set(payload, headerBytes);
    const target = { bytes: head, view: new DataView(head.buffer), at: 0 };
    sealFrame(target, { type: RecordType.start, payloadBytes: payload.length, distance: 0 }, 0);
    file.allocate(Math.max(segmentBytes, head.length + roomBytes));
    file.write(0, head);
    file.syncNow();
    this.#disk.rename(draft, `${dir}/${name}`);
    this.#disk.syncDir(dir);
    this.#file?.close();
    this.#file = file;
    this.#segments.push({ name, sequence, firstIndex });
    this.#offset = head.length;
    this.#fileBytes = file.size();
  }

  /** The first index that the coming segment can hold, pending records included. */
  #nextIndex(): number {
    return this.#spare.firstIndex() ?? this.#lastIndex + 1;
  }

  #fail(error: Error): void {
    this.#isClosed = true;
    this.#failure = error;
    this.#file?.close();
    this.#onFailure(error);
  }
}

function hex16(value: number): string {
  return value.toString(16).padStart(16, "0");
}
