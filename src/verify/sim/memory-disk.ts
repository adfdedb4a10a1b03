/**
 * A member's disk in memory, with what a crash may do to it. Each file keeps the bytes that are
 * durable and the writes that are not yet; each name is durable or not. A crash keeps the durable
 * part and, of every unsynced write, nothing, all, or a torn piece: the seed decides.
 */
import type { Disk, DiskFile } from "../../platform/disk.js";
import type { Rng } from "../../platform/rng.js";

export interface DiskFaults {
  /** Bytes that may still be allocated before ENOSPC; undefined: no limit. */
  spaceBytes?: number | undefined;
  /** The next `sync` fails with EIO. */
  failNextSync?: boolean;
}

interface Content {
  /** What a reader sees. */
  bytes: Uint8Array;
  durable: Uint8Array;
  unsynced: { readonly order: number; readonly position: number; readonly bytes: Uint8Array }[];
  writes: number;
}

const sectorBytes = 512;

export class MemoryDisk implements Disk {
  readonly faults: DiskFaults = {};
  readonly #defer: (fn: () => void) => void;
  #names = new Map<string, Content>();
  #durableNames = new Map<string, Content>();
  syncs = 0;

  /** `defer` calls back later, in an order that the simulator decides. */
  constructor(defer: (fn: () => void) => void) {
    this.#defer = defer;
  }

  /** The disk that a member finds after a crash of this one. */
  crashed(rng: Rng, defer: (fn: () => void) => void): MemoryDisk {
    const next = new MemoryDisk(defer);
    for (const [name, content] of this.#survivingNames(rng)) {
      const bytes = survivingBytes(content, rng);
      const copy = { bytes, durable: bytes.slice(), unsynced: [], writes: 0 };
      next.#names.set(name, copy);
      next.#durableNames.set(name, copy);
    }
    return next;
  }

  list(dir: string): string[] {
    const prefix = dir === "" ? "" : `${dir}/`;
    const names = new Set<string>();
    for (const path of this.#names.keys()) {
      if (path.startsWith(prefix)) names.add(path.slice(prefix.length).split("/")[0] as string);
    }
    return [...names].sort();
  }

  exists(path: string): boolean {
    return this.#names.has(path);
  }

  makeDir(): void {
    // Folders are the prefixes of names here.
  }

  remove(path: string): void {
    if (!this.#names.delete(path)) throw systemError("ENOENT", path);
  }

  rename(from: string, to: string): void {
    const content = this.#names.get(from);
    if (content === undefined) throw systemError("ENOENT", from);
    this.#names.delete(from);
    this.#names.set(to, content);
  }

  syncDir(dir: string): void {
    const isIn = (path: string): boolean => {
      const slash = path.lastIndexOf("/");
      return (slash < 0 ? "" : path.slice(0, slash)) === dir;
    };
    for (const path of this.#durableNames.keys()) {
      if (isIn(path) && !this.#names.has(path)) this.#durableNames.delete(path);
    }
    for (const [path, content] of this.#names) {
      if (isIn(path)) this.#durableNames.set(path, content);
    }
  }

  open(path: string, mode: "create" | "existing"): DiskFile {
    let content = this.#names.get(path);
    if (mode === "create") {
      if (content !== undefined) throw systemError("EEXIST", path);
      content = {
        bytes: new Uint8Array(0),
        durable: new Uint8Array(0),
        unsynced: [],
        writes: 0,
      };
      this.#names.set(path, content);
    }
    if (content === undefined) throw systemError("ENOENT", path);
    return new MemoryFile(content, this);
  }

  lock(): void {
    // One member owns this object.
  }

  close(): void {
    // Nothing is held.
  }

  /** Flips one bit of a file, now and for good. */
  flipBit(path: string, position: number, bit: number): void {
    const content = this.#names.get(path);
    for (const bytes of [content?.bytes, content?.durable]) {
      if (bytes !== undefined && position < bytes.length) {
        bytes[position] = (bytes[position] as number) ^ (1 << bit);
      }
    }
  }

  /** For files: takes space, or refuses. */
  takeSpace(bytes: number): void {
    if (this.faults.spaceBytes === undefined) return;
    if (bytes > this.faults.spaceBytes) throw systemError("ENOSPC", "the disk");
    this.faults.spaceBytes -= bytes;
  }

  /** For files: completes later, with the fault that is due. */
  completeSync(apply: () => void, done: (error: Error | undefined) => void): void {
    this.syncs++;
    this.#defer(() => {
      if (this.faults.failNextSync === true) {
        this.faults.failNextSync = false;
        done(systemError("EIO", "fdatasync"));
        return;
      }
      apply();
      done(undefined);
    });
  }

  /** A change of a folder that was not synced is durable or not, each name for itself. */
  #survivingNames(rng: Rng): Map<string, Content> {
    const names = new Map(this.#durableNames);
    for (const [path, content] of this.#names) {
      if (names.get(path) !== content && rng.int(2) === 0) names.set(path, content);
    }
    for (const path of this.#durableNames.keys()) {
      if (!this.#names.has(path) && rng.int(2) === 0) names.delete(path);
    }
    return names;
  }
}

class MemoryFile implements DiskFile {
  readonly #content: Content;
  readonly #disk: MemoryDisk;

  constructor(content: Content, disk: MemoryDisk) {
    this.#content = content;
    this.#disk = disk;
  }

  size(): number {
    return this.#content.bytes.length;
  }

  read(position: number, length: number): Uint8Array {
    return this.#content.bytes.slice(position, position + length);
  }

  write(position: number, bytes: Uint8Array): void {
    const content = this.#content;
    const end = position + bytes.length;
    if (end > content.bytes.length) {
      this.#disk.takeSpace(end - content.bytes.length);
      content.bytes = grown(content.bytes, end);
    }
    content.bytes.set(bytes, position);
    content.unsynced.push({ order: content.writes++, position, bytes: bytes.slice() });
  }

  sync(done: (error: Error | undefined) => void): void {
    // Only what was written before counts; later writes wait for the next sync.
    const before = this.#content.writes;
    this.#disk.completeSync(() => this.#settle(before), done);
  }

  syncNow(): void {
    this.#settle(this.#content.writes);
  }

  allocate(bytes: number): void {
    const { length } = this.#content.bytes;
    if (bytes > length) this.write(length, new Uint8Array(bytes - length));
  }

  truncate(bytes: number): void {
    this.#content.bytes = this.#content.bytes.slice(0, bytes);
    this.#content.durable = this.#content.durable.slice(0, bytes);
  }

  close(): void {
    // Unsynced writes stay in the page cache.
  }

  #settle(before: number): void {
    const { unsynced } = this.#content;
    const count = unsynced.findIndex((write) => write.order >= before);
    for (const write of unsynced.splice(0, count < 0 ? unsynced.length : count)) {
      this.#content.durable = applied(this.#content.durable, write.position, write.bytes);
    }
  }
}

/** The durable bytes and what happened to be written back of the rest, sector by sector. */
function survivingBytes(content: Content, rng: Rng): Uint8Array {
  let bytes: Uint8Array = content.durable.slice();
  for (const write of content.unsynced) {
    const fate = rng.int(3);
    if (fate === 0) continue;
    if (fate === 1) {
      bytes = applied(bytes, write.position, write.bytes);
      continue;
    }
    for (let at = 0; at < write.bytes.length; at += sectorBytes) {
      if (rng.int(2) === 0) continue;
      const piece = write.bytes.subarray(at, at + sectorBytes);
      bytes = applied(bytes, write.position + at, piece);
    }
  }
  return bytes;
}

/** `bytes` is changed in place where it is long enough. */
function applied(bytes: Uint8Array, position: number, piece: Uint8Array): Uint8Array {
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

function systemError(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}
