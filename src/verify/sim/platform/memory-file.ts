/**
 * The files of a MemoryDisk: the bytes that a reader sees, the durable bytes, and the writes in
 * between.
 */
import { copyBytes } from "../../../base/bytes.js";
import type { DiskFile } from "../../../platform/disk.js";
import type { Rng } from "../../../platform/rng.js";

/** What a file needs from its disk. */
export interface FileHost {
  /** @throws ENOSPC */
  takeSpace(bytes: number): void;
  /** The fault for a sync that happens now. */
  takeSyncFault(): Error | undefined;
  later(fn: () => void): void;
}

interface UnsyncedWrite {
  readonly order: number;
  readonly position: number;
  readonly bytes: Uint8Array;
}

export interface Content {
  /** The bytes that a reader sees. */
  bytes: Uint8Array;
  durable: Uint8Array;
  unsynced: UnsyncedWrite[];
  /** Readers see these bytes, but their sync failed and they will never reach the disk. */
  lost: UnsyncedWrite[];
  writes: number;
  /** Where the last sync's writes begin: everything below was durable before them. */
  lastFlushAt: number;
}

const sectorBytes = 512;

/** A file of no bytes. */
export function emptyContent(): Content {
  const bytes = new Uint8Array(0);
  return { bytes, durable: bytes, unsynced: [], lost: [], writes: 0, lastFlushAt: 0 };
}

/** A copy that shares no bytes with the original. */
export function copyOf(content: Content): Content {
  const { bytes, durable, unsynced, lost, writes, lastFlushAt } = content;
  return {
    bytes: copyBytes(bytes),
    durable: copyBytes(durable),
    unsynced: [...unsynced],
    lost: [...lost],
    writes,
    lastFlushAt,
  };
}

/**
 * What a power failure leaves: the durable bytes, and those of the rest that happened to be written
 * back.
 */
export function survivorOf(content: Content, rng: Rng): Content {
  let bytes: Uint8Array = copyBytes(content.durable);
  const loose = [...content.lost, ...content.unsynced].sort((a, b) => a.order - b.order);
  for (const { position, bytes: piece } of loose) {
    switch (rng.int(4)) {
      case 0:
        break;
      case 1:
        bytes = applied(bytes, position, piece);
        break;
      case 2:
        bytes = applied(bytes, position, piece.subarray(0, rng.int(piece.length + 1)));
        break;
      default:
        bytes = withSomeSectors(bytes, { position, bytes: piece }, rng);
    }
  }
  const { lastFlushAt } = content;
  return { bytes, durable: copyBytes(bytes), unsynced: [], lost: [], writes: 0, lastFlushAt };
}

export class MemoryFile implements DiskFile {
  readonly #content: Content;
  readonly #disk: FileHost;

  constructor(content: Content, disk: FileHost) {
    this.#content = content;
    this.#disk = disk;
  }

  size(): number {
    return this.#content.bytes.length;
  }

  read(position: number, length: number): Uint8Array {
    return copyBytes(this.#content.bytes.subarray(position, position + length));
  }

  write(position: number, bytes: Uint8Array): void {
    const content = this.#content;
    const end = position + bytes.length;
    if (end > content.bytes.length) {
      this.#disk.takeSpace(end - content.bytes.length);
      content.bytes = grown(content.bytes, end);
    }
    content.bytes.set(bytes, position);
    content.unsynced.push({ order: content.writes++, position, bytes: copyBytes(bytes) });
  }

  sync(done: (error: Error | undefined) => void): void {
    // Only earlier writes count; later writes wait for the next sync.
    const before = this.#content.writes;
    this.#disk.later(() => done(this.#settle(before)));
  }

  writeAndSync(
    position: number,
    bytes: Uint8Array,
    done: (error: Error | undefined) => void,
  ): void {
    this.write(position, bytes);
    this.sync(done);
  }

  writeAhead(position: number, bytes: Uint8Array): void {
    this.write(position, bytes);
  }

  syncNow(): void {
    const error = this.#settle(this.#content.writes);
    if (error !== undefined) throw error;
  }

  allocate(bytes: number): void {
    const { length } = this.#content.bytes;
    if (bytes > length) this.write(length, new Uint8Array(bytes - length));
  }

  close(): void {
    // Unsynced writes stay in the page cache.
  }

  #settle(before: number): Error | undefined {
    const content = this.#content;
    const error = this.#disk.takeSyncFault();
    const count = content.unsynced.findIndex((write) => write.order >= before);
    const settled = content.unsynced.splice(0, count < 0 ? content.unsynced.length : count);
    if (error !== undefined) {
      content.lost.push(...settled);
      return error;
    }
    if (settled.length > 0) content.lastFlushAt = Math.min(...settled.map((w) => w.position));
    for (const { position, bytes } of settled) {
      content.durable = applied(content.durable, position, bytes);
    }
    return undefined;
  }
}

/** Each sector that a write touches has arrived or not. */
function withSomeSectors(
  bytes: Uint8Array,
  write: { readonly position: number; readonly bytes: Uint8Array },
  rng: Rng,
): Uint8Array {
  let result = bytes;
  const end = write.position + write.bytes.length;
  for (let at = write.position; at < end; ) {
    const next = Math.min(end, (Math.floor(at / sectorBytes) + 1) * sectorBytes);
    const piece = write.bytes.subarray(at - write.position, next - write.position);
    if (rng.int(2) === 1) result = applied(result, at, piece);
    at = next;
  }
  return result;
}

/** `bytes` is changed in place where it is long enough. */
function applied(bytes: Uint8Array, position: number, piece: Uint8Array): Uint8Array {
  if (piece.length === 0) return bytes;
  const result = grown(bytes, position + piece.length);
  result.set(piece, position);
  return result;
}

function grown(bytes: Uint8Array, length: number): Uint8Array {
  if (length <= bytes.length) return bytes;
  const larger = new Uint8Array(length);
  larger.set(bytes);
  return larger;
}
