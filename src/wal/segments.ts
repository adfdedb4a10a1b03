/**
 * The files of a log. They are named by sequence number and first index, preallocated, and durable
 * before they get their name. The next one is preallocated in pieces while the current one fills,
 * so that a rotation does not hold up a turn.
 */
import type { Disk, DiskFile } from "../platform/disk.js";
import { RecordType } from "./frame.js";
import { FrameBuffer } from "./frame-buffer.js";
import { encodeStart, type SegmentStart } from "./payload.js";

export interface SegmentName {
  readonly name: string;
  readonly sequence: number;
  /** Entries below this index stand in earlier segments only. */
  readonly firstIndex: number;
}

const pattern = /^([0-9a-f]{16})-([0-9a-f]{16})\.wal$/;
const draftName = "next.tmp";
const pieceBytes = 1024 * 1024;

/** The names of all segments, by sequence number, oldest first. */
export function listSegments(disk: Disk, dir: string): SegmentName[] {
  const segments: SegmentName[] = [];
  for (const name of disk.list(dir)) {
    const match = pattern.exec(name);
    if (match === null) continue;
    const [, sequence, firstIndex] = match as unknown as [string, string, string];
    segments.push({
      name,
      sequence: Number.parseInt(sequence, 16),
      firstIndex: Number.parseInt(firstIndex, 16),
    });
  }
  return segments;
}

export class SegmentFactory {
  readonly #disk: Disk;
  readonly #dir: string;
  readonly #segmentBytes: number;
  /** The file that is being preallocated. `#draftBytes` says how far. */
  #draft: DiskFile | undefined;
  #draftBytes = 0;
  #isDraftSyncing = false;
  /**
   * True after the disk has refused a preparation: nothing is prepared until the next segment is
   * created.
   */
  #isRefused = false;

  constructor(disk: Disk, options: { readonly dir: string; readonly segmentBytes: number }) {
    this.#disk = disk;
    this.#dir = options.dir;
    this.#segmentBytes = options.segmentBytes;
  }

  /**
   * Prepares a piece of the next segment. Never throws: a step that fails is tried again when the
   * segment is needed.
   */
  prepare(): void {
    if (this.#isRefused || this.#draftBytes >= this.#segmentBytes) return;
    try {
      this.#draft ??= this.#createDraft();
      this.#draftBytes = Math.min(this.#draftBytes + pieceBytes, this.#segmentBytes);
      this.#draft.allocate(this.#draftBytes);
      if (this.#draftBytes === this.#segmentBytes) this.#syncDraft(this.#draft);
    } catch {
      this.#discard();
      this.#isRefused = true;
    }
  }

  /**
   * Creates a segment with `head` at its start and room for `roomBytes` behind it, durable under
   * its name. @throws the system's error
   */
  create(segment: SegmentName, head: Uint8Array, roomBytes: number): DiskFile {
    // The sync of this draft has not ended and may yet fail, so a new draft is made.
    if (this.#isDraftSyncing) this.#discard();
    const file = this.#draft ?? this.#createDraft();
    this.#draft = undefined;
    this.#draftBytes = 0;
    this.#isRefused = false;
    try {
      file.allocate(Math.max(this.#segmentBytes, head.length + roomBytes));
      file.write(0, head);
      file.syncNow();
      this.#disk.rename(`${this.#dir}/${draftName}`, `${this.#dir}/${segment.name}`);
      this.#disk.syncDir(this.#dir);
    } catch (error) {
      file.close();
      throw error;
    }
    return file;
  }

  close(): void {
    this.#draft?.close();
    this.#draft = undefined;
    this.#isRefused = true;
  }

  #createDraft(): DiskFile {
    removeDraft(this.#disk, this.#dir);
    return this.#disk.open(`${this.#dir}/${draftName}`, "create");
  }

  #syncDraft(draft: DiskFile): void {
    this.#isDraftSyncing = true;
    draft.sync((error) => {
      if (draft !== this.#draft) return;
      this.#isDraftSyncing = false;
      if (error !== undefined) this.#discard();
    });
  }

  /** Removes the draft and so gives its space back, if the disk still allows that. */
  #discard(): void {
    this.#draft?.close();
    this.#draft = undefined;
    this.#draftBytes = 0;
    this.#isDraftSyncing = false;
    try {
      removeDraft(this.#disk, this.#dir);
    } catch {
      // The creation of the next segment will meet the same error.
    }
  }
}

/** The name of the segment that follows `before`. */
export function segmentAfter(before: SegmentName | undefined, firstIndex: number): SegmentName {
  const sequence = before === undefined ? 0 : before.sequence + 1;
  return { name: `${hex16(sequence)}-${hex16(firstIndex)}.wal`, sequence, firstIndex };
}

/** The bytes at the start of a segment. */
export function segmentHead(start: SegmentStart): Uint8Array {
  const head = new FrameBuffer(0);
  head.begin(0);
  head.addRecord(RecordType.start, encodeStart(start), false);
  return head.bytes();
}

/** Removes the draft that a crash in the middle of a rotation left. */
export function removeDraft(disk: Disk, dir: string): void {
  const path = `${dir}/${draftName}`;
  if (disk.exists(path)) disk.remove(path);
}

function hex16(value: number): string {
  return value.toString(16).padStart(16, "0");
}
