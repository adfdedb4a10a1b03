/**
 * A member's disk in memory, and the effects of crashes on it. Each file keeps the durable bytes
 * and the writes that are not durable yet; each name is durable or not. A power failure keeps the
 * durable part and, of every unsynced write, nothing, all, or a torn piece: the seed decides. If
 * only the process dies, the page cache stays.
 */
import { copyBytes } from "../../../base/bytes.js";
import { StartError } from "../../../base/errors.js";
import type { Disk, DiskFile } from "../../../platform/disk.js";
import type { Rng } from "../../../platform/rng.js";
import {
  type Content,
  copyOf,
  emptyContent,
  type FileHost,
  MemoryFile,
  survivorOf,
} from "./memory-file.js";

/** Tests set these; each failure happens once, at the place that its name says. */
export interface DiskFaults {
  /** Bytes that may still be allocated before ENOSPC; undefined: no limit. */
  spaceBytes?: number | undefined;
  /**
   * The next `sync` or `syncNow` fails with EIO. As on Linux, the pages count as clean afterwards:
   * they can be read, but no later sync brings them to the disk.
   */
  failNextSync?: boolean;
}

export class MemoryDisk implements Disk, FileHost {
  readonly faults: DiskFaults = {};
  readonly #defer: (fn: () => void) => void;
  #names = new Map<string, Content>();
  #durableNames = new Map<string, Content>();
  #folders = new Set([""]);
  #durableFolders = new Set([""]);
  #isLocked = false;
  syncs = 0;

  /** `defer` calls back later, in an order that the simulator decides. */
  constructor(defer: (fn: () => void) => void) {
    this.#defer = defer;
  }

  /** The disk that a member finds when the power comes back after a failure now. */
  crashed(rng: Rng, defer: (fn: () => void) => void): MemoryDisk {
    const next = new MemoryDisk(defer);
    next.#folders = this.#survivingFolders(rng);
    next.#durableFolders = new Set(next.#folders);
    for (const [name, content] of this.#survivingNames(rng)) {
      // The draws are the same whether or not the folder exists.
      const survivor = survivorOf(content, rng);
      if (!next.#folders.has(folderOf(name))) continue;
      next.#names.set(name, survivor);
      next.#durableNames.set(name, survivor);
    }
    return next;
  }

  /**
   * The disk that a member finds after its process died: it keeps every write, and unsynced ones
   * stay unsynced.
   */
  orphaned(defer: (fn: () => void) => void): MemoryDisk {
    const next = new MemoryDisk(defer);
    const copies = new Map<Content, Content>();
    const copied = (content: Content): Content => {
      const copy = copies.get(content) ?? copyOf(content);
      copies.set(content, copy);
      return copy;
    };
    for (const [name, content] of this.#names) next.#names.set(name, copied(content));
    for (const [name, content] of this.#durableNames) next.#durableNames.set(name, copied(content));
    next.#folders = new Set(this.#folders);
    next.#durableFolders = new Set(this.#durableFolders);
    return next;
  }

  /** The least that a power failure now can leave: none of the unsynced data. */
  durableImage(): MemoryDisk {
    const next = new MemoryDisk(() => {});
    for (const folder of this.#durableFolders) {
      next.#folders.add(folder);
      next.#durableFolders.add(folder);
    }
    for (const [name, content] of this.#durableNames) {
      if (!next.#folders.has(folderOf(name))) continue;
      const copy = { ...emptyContent(), bytes: copyBytes(content.durable) };
      copy.durable = copy.bytes.slice();
      next.#names.set(name, copy);
      next.#durableNames.set(name, copy);
    }
    return next;
  }

  list(dir: string): string[] {
    const names = new Set<string>();
    for (const path of [...this.#names.keys(), ...this.#folders]) {
      if (path !== "" && folderOf(path) === dir) names.add(path.slice(path.lastIndexOf("/") + 1));
    }
    return [...names].sort();
  }

  exists(path: string): boolean {
    return this.#names.has(path) || this.#folders.has(path);
  }

  makeDir(dir: string): void {
    for (let path = dir; path !== ""; path = folderOf(path)) this.#folders.add(path);
  }

  remove(path: string): void {
    if (!this.#names.delete(path)) throw systemError("ENOENT", path);
  }

  rename(from: string, to: string): void {
    const content = this.#names.get(from);
    if (content === undefined || !this.#folders.has(folderOf(to))) {
      throw systemError("ENOENT", from);
    }
    this.#names.delete(from);
    this.#names.set(to, content);
  }

  syncDir(dir: string): void {
    if (!this.#folders.has(dir)) throw systemError("ENOENT", dir);
    for (const path of this.#durableNames.keys()) {
      if (folderOf(path) === dir && !this.#names.has(path)) this.#durableNames.delete(path);
    }
    for (const [path, content] of this.#names) {
      if (folderOf(path) === dir) this.#durableNames.set(path, content);
    }
    for (const path of this.#folders) if (folderOf(path) === dir) this.#durableFolders.add(path);
  }

  open(path: string, mode: "create" | "existing"): DiskFile {
    let content = this.#names.get(path);
    if (mode === "create") {
      if (content !== undefined) throw systemError("EEXIST", path);
      if (!this.#folders.has(folderOf(path))) throw systemError("ENOENT", path);
      content = emptyContent();
      this.#names.set(path, content);
    }
    if (content === undefined) throw systemError("ENOENT", path);
    return new MemoryFile(content, this);
  }

  lock(): void {
    if (this.#isLocked) throw new StartError("the data directory is in use by another member");
    this.#isLocked = true;
  }

  close(done?: () => void): void {
    this.#isLocked = false;
    done?.();
  }

  /** Flips one bit of a file, in the cache and on the disk. */
  flipBit(path: string, position: number, bit: number): void {
    const content = this.#names.get(path);
    for (const bytes of [content?.bytes, content?.durable]) {
      if (bytes !== undefined && position < bytes.length) {
        bytes[position] = (bytes[position] as number) ^ (1 << bit);
      }
    }
  }

  /**
   * Bytes of a file that were durable before its last sync: damage there is distinguishable from a
   * torn write.
   */
  settledBytes(path: string): number {
    return this.#names.get(path)?.lastFlushAt ?? 0;
  }

  takeSpace(bytes: number): void {
    if (this.faults.spaceBytes === undefined) return;
    if (bytes > this.faults.spaceBytes) throw systemError("ENOSPC", "the disk");
    this.faults.spaceBytes -= bytes;
  }

  takeSyncFault(): Error | undefined {
    this.syncs++;
    if (this.faults.failNextSync !== true) return undefined;
    this.faults.failNextSync = false;
    return systemError("EIO", "fdatasync");
  }

  later(fn: () => void): void {
    this.#defer(fn);
  }

  /** An unsynced change of a folder is durable or not, each name separately. */
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

  #survivingFolders(rng: Rng): Set<string> {
    const folders = new Set<string>();
    // Parents first: if a folder is lost, everything in it is lost.
    for (const path of [...this.#folders].sort((a, b) => a.length - b.length)) {
      const holds = this.#durableFolders.has(path) || rng.int(2) === 0;
      if (holds && (path === "" || folders.has(folderOf(path)))) folders.add(path);
    }
    return folders;
  }
}

function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

function systemError(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}
