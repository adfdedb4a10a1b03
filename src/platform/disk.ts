/**
 * Files of one member, below its data directory. Paths are relative, `/`-separated. Metadata calls
 * and reads are synchronous (start-up, rotation). Durability is asynchronous, so that the turn that
 * asked for it goes on. Errors are the system's (`code`: ENOSPC, EIO, ENOENT, ...), unwrapped.
 *
 * What survives a crash: bytes whose `sync` completed, and names whose directory's `syncDir`
 * completed. Unsynced writes may be lost, torn at any byte, or reordered among themselves.
 */
export interface Disk {
  /** Names in `dir`, sorted; [] if it does not exist. */
  list(dir: string): string[];
  exists(path: string): boolean;
  /** Creates `dir` and its parents, mode 0700; durable after `syncDir` of each parent. */
  makeDir(dir: string): void;
  remove(path: string): void;
  rename(from: string, to: string): void;
  /** Makes creations, renames and removals in `dir` durable. */
  syncDir(dir: string): void;
  /** Opens for reading and writing; `create` fails if the file exists. */
  open(path: string, mode: "create" | "existing"): DiskFile;
  /**
   * Takes the exclusive right to this data directory until the process ends or `close`. @throws
   * StartError naming the process that holds it: another one, or this one
   */
  lock(): void;
  /**
   * Gives up that right. Calls `done` when no write that was begun is still running, inside the
   * call or later. Close the files first.
   */
  close(done?: () => void): void;
}

export interface DiskFile {
  size(): number;
  /**
   * Reads exactly the bytes present in [position, position + length); fewer at the end of the file.
   */
  read(position: number, length: number): Uint8Array;
  /**
   * Writes into the page cache; `read` sees it at once. @throws ENOSPC and the like, synchronously
   */
  write(position: number, bytes: Uint8Array): void;
  /**
   * Calls `done` once, later, when all earlier writes of this file are durable or have failed.
   * After a failure they may be lost although `read` shows them, so do not sync again.
   */
  sync(done: (error: Error | undefined) => void): void;
  /**
   * Writes `bytes` and calls `done` once, later, when they and all earlier writes of this file are
   * durable or have failed. `read` may show them only then. Until then the caller must not change
   * `bytes`, and must not write to the file or sync it. @throws as `write`, or tells `done`
   */
  writeAndSync(position: number, bytes: Uint8Array, done: (error: Error | undefined) => void): void;
  /**
   * Begins to write bytes that the next `writeAndSync` begins with, too. A failure may go
   * unreported here; that `writeAndSync` reports it. The caller may change `bytes` at once. @throws
   * as `write`
   */
  writeAhead(position: number, bytes: Uint8Array): void;
  /** Blocks until all earlier writes are durable: for start-up and rotation. @throws EIO and the like */
  syncNow(): void;
  /** Reserves `bytes` from the start of the file. Bytes not yet written read as zeros. */
  allocate(bytes: number): void;
  close(): void;
}
