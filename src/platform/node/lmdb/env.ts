/**
 * One LMDB file: the durable rows of a backend, one named database for each bucket. All use of the
 * `lmdb` package is here.
 *
 * How durability is known. With its default `overlappingSync` the package shows a transaction
 * before it is on disk. With that option off (package 3.5, read in its C source) `mdb_txn_commit`
 * runs on a thread-pool thread in this order: it writes the pages, calls fdatasync, writes the meta
 * page through a descriptor opened with O_DSYNC, and only then makes the transaction visible to
 * readers and marks its instructions committed. The promise of a batch resolves on that mark, so it
 * means: durable. A crash before the meta page is written leaves the former state whole.
 *
 * A batch is one transaction, because the package's writer never commits inside a batch block; a
 * batch that fails is aborted whole. A large commit must not hold the event loop, and a batch block
 * cannot stay open over turns. So a large commit uses the package's asynchronous transaction, whose
 * promise resolves on the same mark. While that is open the package would let every read see its
 * rows, because `env.writeTxn` is set; so this is cleared before each pause. Values read are copies
 * (values.ts): callers may keep them.
 */
import { closeSync, fsyncSync, openSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { type Database, open, type RangeOptions, type RootDatabase, type Transaction } from "lmdb";
import { viewedCommitsMax } from "../../backend.js";
import type { RowBatch } from "../../row-generations.js";
import type { RowVisit, ScanRange } from "../../row-layer.js";
import { type Bucket, bucketNames, type RowWrite } from "../../rows.js";
import { checkDataFile, damage } from "./file.js";
import { KeyLender, ValueLender } from "./lent.js";
import { isMadeHere, markKey, markOf, rewriteRows } from "./made.js";
import { OpeningMark, tryReading } from "./trial.js";
import { ValueCopier } from "./values.js";

/**
 * Size of the memory map. It costs only address space: LMDB doubles it when the file outgrows it.
 */
const mapBytes = 1024 ** 3;
/** A file up to this size is read whole by another process before it is opened. */
const triedBytesMax = 256 * 1024 * 1024;
/** Readers: one for each viewed commit, the current one, the next, and those of other processes. */
const readersMax = viewedCommitsMax + 26;
/** An option that the package's declarations leave out. */
const permissions = { permissionsMode: 0o600 };
const firstKey = Uint8Array.of(0);
/** A commit of more rows is given to LMDB in slices of about `sliceMs`. */
const rowsAtOnce = 2_000;
const rowsBetweenLooks = 128;
const sliceMs = 3;

/** Includes a member that the package's declarations leave out. */
interface Rows extends Database<Uint8Array, Uint8Array> {
  readonly db: { stat(): TreeStats };
}
interface TreeStats {
  readonly pageSize: number;
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
}

/** A frozen read transaction; holds the pages of its state until `release`. */
export interface View {
  readonly options: { readonly transaction: Transaction };
  retain(): void;
  release(): void;
}

export class LmdbEnv {
  readonly path: string;
  readonly #root: RootDatabase<Uint8Array, Uint8Array>;
  readonly #buckets: readonly Rows[];
  /** The same buckets, for scans that lend their rows. */
  readonly #lentBuckets: readonly Rows[];
  /** True while a transaction is open that must not end. */
  #isStuck = false;

  /**
   * Creates the file if absent. `isStrange`: an earlier process wrote it. `isWritten`: something
   * will be written to it. @throws DamageError if it is no backend file or cannot be read; or the
   * system's error
   */
  constructor(
    path: string,
    { name, isStrange, isWritten }: { name: string; isStrange: boolean; isWritten: boolean },
  ) {
    this.path = path;
    const found = checkDataFile(path);
    const mark = new OpeningMark(path);
    try {
      const isTried = mark.wasThere || (isStrange && statSync(path).size <= triedBytesMax);
      if (found === "short" || (found === "whole" && isTried)) {
        const problem = tryReading(path, bucketNames);
        if (problem !== undefined) throw damage(path, problem);
      }
      if (found !== "absent" && isWritten && !isMadeHere(path, name)) rewriteRows(path, name);
      const { root, buckets } = openFile(path);
      this.#root = root;
      this.#buckets = buckets;
      const lent = { encoder: new ValueLender(), keyEncoder: new KeyLender() };
      this.#lentBuckets = bucketNames.map((name) => root.openDB({ name, ...lent }) as Rows);
      if (found === "absent") {
        root.putSync(markKey, markOf(name));
        syncDirectory(dirname(path));
      }
    } catch (error) {
      mark.remove();
      throw error;
    }
    // A backend is read in the same turn in which it is opened.
    setImmediate(() => mark.remove());
  }

  /** The last committed state, frozen. */
  view(): View {
    // The package shares one read transaction within an event turn and may keep cursors for it. A
    // reset before and after makes this one new, and unshared.
    this.#root.resetReadTxn();
    const transaction = this.#root.useReadTransaction();
    this.#root.resetReadTxn();
    const counted = transaction as Transaction & { use(): void };
    return {
      options: { transaction },
      retain: () => counted.use(),
      release: () => transaction.done(),
    };
  }

  get(view: View, bucket: Bucket, key: Uint8Array): Uint8Array | undefined {
    try {
      return (this.#buckets[bucket] as Rows).get(key, view.options);
    } catch (error) {
      throw damage(this.path, messageOf(error));
    }
  }

  scan(view: View, bucket: Bucket, scan: { range: ScanRange; visit: RowVisit }): void {
    const { range, visit } = scan;
    const from = range.from.length === 0 ? firstKey : range.from;
    const bounds: object =
      range.reverse === true
        ? { start: range.to, end: from, reverse: true, exclusiveStart: true, inclusiveEnd: true }
        : { start: from, end: range.to };
    const buckets = range.isLent === true ? this.#lentBuckets : this.#buckets;
    const options = { transaction: view.options.transaction, ...bounds } as RangeOptions;
    const rows = (buckets[bucket] as Rows).getRange(options);
    const iterator = rows[Symbol.iterator]();
    try {
      for (;;) {
        const step = this.#next(iterator);
        if (step.done === true || !visit(step.value.key, step.value.value)) return;
      }
    } finally {
      iterator.return?.();
    }
  }

  /** Resolves when the rows are durable. Rejects when none of them is. */
  async store(batch: RowBatch): Promise<void> {
    try {
      if (batch.count > rowsAtOnce) await this.#storeInSlices(batch);
      else {
        await writeAll(this.#root, (written) => {
          for (const row of batch.rows()) written(this.#put(row));
        });
      }
    } catch (error) {
      throw new Error(`commit of backend ${this.path} failed: ${await causeOf(error)}`, {
        cause: error,
      });
    }
  }

  /** Bytes of the file, and of the pages that hold rows or LMDB's own records. */
  sizes(): { readonly total: number; readonly inUse: number } {
    const { size: total } = statSync(this.path);
    const stats = this.#root.getStats() as { root: TreeStats; free: TreeStats };
    const trees = [stats.root, stats.free, ...this.#buckets.map(({ db }) => db.stat())];
    this.#root.resetReadTxn();
    const pages = trees.reduce((sum, tree) => sum + treePages(tree), metaPages);
    return { total, inUse: pages * stats.root.pageSize };
  }

  async close(): Promise<void> {
    if (!this.#isStuck) await this.#root.close();
  }

  #put({ bucket, key, value }: RowWrite): Promise<boolean> {
    const target = this.#buckets[bucket] as Rows;
    return value === undefined ? target.remove(key) : target.put(key, value);
  }

  /**
   * Stores many rows: one transaction that stays open over several turns. If a write in it failed,
   * LMDB itself marks the transaction and refuses to commit it.
   */
  #storeInSlices(batch: RowBatch): Promise<void> {
    return new Promise((resolve, reject) => {
      const fill = async (): Promise<void> => {
        try {
          await this.#putInSlices(batch);
        } catch (error) {
          // The package would commit the rows written so far, so this transaction must never end.
          this.#isStuck = true;
          reject(error);
          await new Promise(() => {});
        }
      };
      this.#root.transaction(fill).then(() => resolve(), reject);
    });
  }

  async #putInSlices(batch: RowBatch): Promise<void> {
    let untilMs = performance.now() + sliceMs;
    let count = 0;
    for (const row of batch.rows()) {
      void this.#put(row);
      if (++count % rowsBetweenLooks !== 0 || performance.now() < untilMs) continue;
      // During the pause all reads must see the committed rows, not those of this transaction.
      (this.#root as RootDatabase & { env: { writeTxn: unknown } }).env.writeTxn = null;
      await new Promise((resume) => setImmediate(resume));
      untilMs = performance.now() + sliceMs;
    }
  }

  #next(iterator: Iterator<{ key: Uint8Array; value: Uint8Array }>) {
    try {
      return iterator.next();
    } catch (error) {
      throw damage(this.path, messageOf(error));
    }
  }
}

type Root = RootDatabase<Uint8Array, Uint8Array>;

/**
 * Opens the file with its buckets and creates what is absent. With `isSynced` false, commits reach
 * the disk only when the caller syncs the file. @throws DamageError
 */
export function openFile(
  path: string,
  isSynced = true,
): { readonly root: Root; readonly buckets: readonly Rows[] } {
  const binary = { encoder: new ValueCopier(), keyEncoding: "binary" } as const;
  let root: Root | undefined;
  try {
    const opened = open<Uint8Array, Uint8Array>({
      path,
      ...binary,
      noSubdir: true,
      noSync: !isSynced,
      overlappingSync: false,
      eventTurnBatching: false,
      maxDbs: bucketNames.length,
      maxReaders: readersMax,
      mapSize: mapBytes,
      ...permissions,
    });
    root = opened;
    const buckets = bucketNames.map(
      (name) => opened.openDB<Uint8Array, Uint8Array>({ name, ...binary }) as Rows,
    );
    return { root, buckets };
  } catch (error) {
    // The file cannot be used; an error of the close adds nothing.
    root?.close().catch(() => {});
    throw damage(path, messageOf(error));
  }
}

/**
 * Runs one transaction with all that `work` puts and removes. `work` passes each result to
 * `written`: the package gives a promise for each change, or one for many, and a promise that fails
 * with the transaction must have a handler.
 */
export async function writeAll(
  root: Root,
  work: (written: (result: Promise<boolean>) => void) => void,
): Promise<void> {
  let last: Promise<boolean> | undefined;
  await root.batch(() => {
    work((result) => {
      if (result === last) return;
      last = result;
      result.catch(() => {});
    });
  });
}

const metaPages = 2;

function treePages(tree: TreeStats): number {
  return tree.treeBranchPageCount + tree.treeLeafPageCount + tree.overflowPages;
}

/** Makes creations, renames and removals in a directory durable. */
export function syncDirectory(path: string): void {
  const directory = openSync(path, "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

/**
 * The text of the real error. The package rejects with a general error whose `commitError` is a
 * promise of the real one.
 */
export async function causeOf(error: unknown): Promise<string> {
  const { commitError } = error as { commitError?: Promise<never> };
  if (commitError === undefined) return messageOf(error);
  return commitError.then(() => messageOf(error), messageOf);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
