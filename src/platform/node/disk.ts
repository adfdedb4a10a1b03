/**
 * The Disk port on a directory of the file system. Durability is fdatasync through libuv's thread
 * pool; metadata calls are synchronous. Preallocated space is written with zeros: a sync of a file
 * whose size and blocks do not change touches no metadata.
 */
import fs from "node:fs";
import path from "node:path";
import { copyBytes } from "../../base/bytes.js";
import { StartError } from "../../base/errors.js";
import type { Disk, DiskFile } from "../disk.js";
import type { Platform } from "../platform.js";
import { takeDirectory } from "./directory-lock.js";
import { WritePace } from "./write-pace.js";

/** The name that the member uses (member/startup/boot.ts). */
const walFolder = "wal";
const zeros = new Uint8Array(1024 * 1024);

/**
 * Creates the folders if they are missing. `log` gets a warning if the lock does not protect fully.
 *
 * @param walDir where the folder "wal" lies; "": in `root`
 * @throws StartError if a folder cannot be used
 */
export function createNodeDisk(root: string, log: Platform["log"], walDir = ""): Disk {
  const make = (folder: string, what: string): void => {
    try {
      ensureDirectory(path.resolve(folder));
    } catch (cause) {
      const why = (cause as Error).message;
      throw new StartError(`cannot use "${folder}" as ${what} (${why}): choose another one`);
    }
  };
  make(root, "data directory");
  if (walDir !== "") make(walDir, "--wal-dir");
  return new NodeDisk(root, log, walDir);
}

/**
 * Creates the folder durably, step by step. Node's own recursive mkdir does not return where a
 * parent cannot be made (/proc).
 */
function ensureDirectory(folder: string): void {
  if (fs.statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return;
  const parent = path.dirname(folder);
  if (parent !== folder) ensureDirectory(parent);
  fs.mkdirSync(folder, { mode: 0o700 });
  try {
    syncFolder(parent);
  } catch (error) {
    // A parent that this user may write but not read cannot be synced either.
    if ((error as NodeJS.ErrnoException).code !== "EACCES") throw error;
  }
}

function syncFolder(folder: string): void {
  const handle = fs.openSync(folder, "r");
  try {
    fs.fsyncSync(handle);
  } finally {
    fs.closeSync(handle);
  }
}

class NodeDisk implements Disk {
  readonly #root: string;
  readonly #log: Platform["log"];
  readonly #walDir: string;
  readonly #running = new RunningCalls();
  #release: (() => void) | undefined;

  constructor(root: string, log: Platform["log"], walDir: string) {
    this.#root = root;
    this.#log = log;
    this.#walDir = walDir === "" ? path.join(root, walFolder) : walDir;
  }

  list(dir: string): string[] {
    try {
      return fs.readdirSync(this.#path(dir)).sort();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw error;
    }
  }

  exists(name: string): boolean {
    return fs.existsSync(this.#path(name));
  }

  makeDir(dir: string): void {
    fs.mkdirSync(this.#path(dir), { recursive: true, mode: 0o700 });
  }

  remove(name: string): void {
    fs.unlinkSync(this.#path(name));
  }

  rename(from: string, to: string): void {
    fs.renameSync(this.#path(from), this.#path(to));
  }

  syncDir(dir: string): void {
    syncFolder(this.#path(dir));
  }

  open(name: string, mode: "create" | "existing"): DiskFile {
    const where = this.#path(name);
    const handle = fs.openSync(where, mode === "create" ? "wx+" : "r+", 0o600);
    try {
      const { O_RDWR, O_DSYNC } = fs.constants;
      return new NodeFile(handle, fs.openSync(where, O_RDWR | O_DSYNC), this.#running);
    } catch (error) {
      fs.closeSync(handle);
      throw error;
    }
  }

  lock(): void {
    this.#release = takeDirectory(this.#root, this.#log);
  }

  close(done?: () => void): void {
    // Another log must not begin before the last writes of this one have ended.
    this.#running.whenNone(() => {
      this.#release?.();
      this.#release = undefined;
      done?.();
    });
  }

  #path(name: string): string {
    const [first, ...rest] = name.split("/");
    return first === walFolder ? path.join(this.#walDir, ...rest) : path.join(this.#root, name);
  }
}

/** Counts the calls of all files on which the thread pool works. */
class RunningCalls {
  #count = 0;
  #waiting: (() => void)[] = [];

  begin(): void {
    this.#count++;
  }

  end(): void {
    this.#count--;
    if (this.#count === 0) for (const fn of this.#waiting.splice(0)) fn();
  }

  whenNone(fn: () => void): void {
    if (this.#count === 0) fn();
    else this.#waiting.push(fn);
  }
}

function writeAll(handle: number, position: number, bytes: Uint8Array): void {
  let written = 0;
  while (written < bytes.length) {
    const rest = bytes.length - written;
    written += fs.writeSync(handle, bytes, written, rest, position + written);
  }
}

const pace = new WritePace({
  now: () => performance.now(),
  idleMs: () => performance.eventLoopUtilization().idle,
});

class NodeFile implements DiskFile {
  readonly #handle: number;
  /**
   * The same file opened a second time: each write there is durable when it has ended, as if
   * fdatasync followed.
   */
  readonly #durableHandle: number;
  #isClosed = false;
  /** Calls that the thread pool works on. */
  #running = 0;
  /** True while there are writes that only an fdatasync of the other handle makes durable. */
  #isDirty = false;

  /** Writes what `writeAhead` got last, unless a newer write has taken its place. */
  #ahead: (() => void) | undefined;
  readonly #all: RunningCalls;

  constructor(handle: number, durableHandle: number, all: RunningCalls) {
    this.#handle = handle;
    this.#durableHandle = durableHandle;
    this.#all = all;
  }

  size(): number {
    return fs.fstatSync(this.#handle).size;
  }

  read(position: number, length: number): Uint8Array {
    const bytes = Buffer.allocUnsafe(length);
    let filled = 0;
    while (filled < length) {
      const count = fs.readSync(this.#handle, bytes, filled, length - filled, position + filled);
      if (count === 0) break;
      filled += count;
    }
    return bytes.subarray(0, filled);
  }

  write(position: number, bytes: Uint8Array): void {
    this.#isDirty = true;
    writeAll(this.#handle, position, bytes);
  }

  sync(done: (error: Error | undefined) => void): void {
    this.#isDirty = false;
    this.#begin();
    fs.fdatasync(this.#handle, (error) => {
      this.#ended();
      done(error ?? undefined);
    });
  }

  /**
   * Writes in this thread if write-pace.ts allows it, when the callback that runs now has returned:
   * messages to other members leave before. Else the thread pool writes in one trip, unless earlier
   * writes need an fdatasync of their own.
   */
  writeAndSync(
    position: number,
    bytes: Uint8Array,
    done: (error: Error | undefined) => void,
  ): void {
    const sinceMs = performance.now();
    const told = (error: Error | undefined): void => {
      pace.took(performance.now() - sinceMs, false);
      done(error);
    };
    this.#ahead = undefined;
    if (!pace.mayHoldLoop(bytes.length) || this.#isDirty) this.#inPool(position, bytes, told);
    else {
      this.#begin();
      queueMicrotask(() => {
        done(this.#writeHere(position, bytes));
        this.#ended();
      });
    }
  }

  #writeHere(position: number, bytes: Uint8Array): Error | undefined {
    const sinceMs = performance.now();
    try {
      writeAll(this.#durableHandle, position, bytes);
      return undefined;
    } catch (error) {
      return error as Error;
    } finally {
      pace.took(performance.now() - sinceMs, true);
    }
  }

  #inPool(position: number, bytes: Uint8Array, done: (error: Error | undefined) => void): void {
    this.#begin();
    fs.write(this.#durableHandle, bytes, 0, bytes.length, position, (error, written) => {
      if (error !== null) done(error);
      else if (written < bytes.length) {
        this.#inPool(position + written, bytes.subarray(written), done);
      } else if (this.#isDirty) this.sync(done);
      else done(undefined);
      this.#ended();
    });
  }

  /** Writes in the next turn, if no `writeAndSync` has come by then. */
  writeAhead(position: number, bytes: Uint8Array): void {
    const copy = copyBytes(bytes);
    const ahead = (): void => {
      const isWanted = this.#ahead === ahead;
      if (isWanted && !pace.isQuick()) {
        fs.write(this.#handle, copy, 0, copy.length, position, () => this.#ended());
        return;
      }
      try {
        if (isWanted) writeAll(this.#handle, position, copy);
      } catch {
        // The write that contains these bytes will meet the same error.
      }
      this.#ended();
    };
    this.#ahead = ahead;
    this.#begin();
    setImmediate(ahead);
  }

  syncNow(): void {
    this.#isDirty = false;
    fs.fsyncSync(this.#handle);
  }

  allocate(bytes: number): void {
    for (let at = this.size(); at < bytes; at += zeros.length) {
      this.write(at, zeros.subarray(0, Math.min(zeros.length, bytes - at)));
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#closeIfUnused();
  }

  #begin(): void {
    this.#running++;
    this.#all.begin();
  }

  #ended(): void {
    this.#running--;
    if (this.#isClosed) this.#closeIfUnused();
    this.#all.end();
  }

  /** While the thread pool uses a descriptor, its number must not be given out again. */
  #closeIfUnused(): void {
    if (this.#running > 0) return;
    fs.closeSync(this.#handle);
    fs.closeSync(this.#durableHandle);
  }
}
