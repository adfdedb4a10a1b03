/**
 * The backends of one member on LMDB: `<root>/<name>.mdb` each, with LMDB's lock file beside it.
 * Unsaved rows are in memory (row-generations.ts). A commit stores one generation in one LMDB
 * transaction. The generation is dropped only when that transaction is durable (env.ts says
 * how this is known). So a killed process leaves exactly the state of some commit, no older than
 * the last completed one.
 *
 * A read of stored rows must never see more than the last completed commit. So all reads use one
 * frozen view, which is replaced when a commit completes.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { invariant } from "../../../base/invariant.js";
import type { Backend, BackendReader, BackendSnapshot, BackendStore } from "../../backend.js";
import { type RowBatch, RowGenerations } from "../../row-generations.js";
import type { RowVisit, ScanRange } from "../../row-layer.js";
import type { RowRun } from "../../row-run.js";
import type { Bucket, RowWrite } from "../../rows.js";
import { bucketNames } from "../../rows.js";
import { copyRows } from "./copy.js";
import { LmdbEnv, syncDirectory, type View } from "./env.js";
import { markOf, tryReadingLater } from "./trial.js";

const suffix = ".mdb";
/** A copy that is not complete; a crash may leave one. */
const partialSuffix = ".partial";
type Done = (error: Error | undefined) => void;

/** Creates the directory `root` if needed and removes incomplete copies in it. */
export function createLmdbBackendStore(root: string): BackendStore {
  mkdirSync(root, { recursive: true, mode: 0o700 });
  for (const name of readdirSync(root)) {
    if (name.includes(partialSuffix)) rmSync(join(root, name));
  }
  const openNames = new Set<string>();
  /** Names of files that an earlier process wrote and this one has not opened yet. */
  const strange = new Set(readdirSync(root));
  const pathOf = (name: string) => join(root, name + suffix);
  return {
    open(name, use = "write") {
      invariant(/^[a-z0-9._-]+$/i.test(name), "backend name", () => ({ name }));
      invariant(!openNames.has(name), "backend is open already", () => ({ name }));
      const isStrange = strange.delete(name + suffix);
      const env = new LmdbEnv(pathOf(name), { name, isStrange, isWritten: use === "write" });
      openNames.add(name);
      return new LmdbBackend(env, { pathOf, closed: () => openNames.delete(name) });
    },
    probe(name, done) {
      invariant(!openNames.has(name), "an open backend is probed", () => ({ name }));
      tryReadingLater(pathOf(name), bucketNames, done);
    },
    list() {
      return readdirSync(root)
        .filter((name) => name.endsWith(suffix))
        .map((name) => name.slice(0, -suffix.length))
        .sort();
    },
    remove(name) {
      invariant(!openNames.has(name), "an open backend cannot be removed", () => ({ name }));
      strange.delete(name + suffix);
      rmSync(pathOf(name), { force: true });
      rmSync(`${pathOf(name)}-lock`, { force: true });
      rmSync(markOf(pathOf(name)), { force: true });
      syncDirectory(root);
    },
  };
}

interface StoreLinks {
  pathOf(name: string): string;
  closed(): void;
}

class LmdbBackend implements Backend {
  readonly #env: LmdbEnv;
  readonly #links: StoreLinks;
  readonly #generations: RowGenerations;
  readonly #snapshots = new Set<LmdbSnapshot>();
  readonly #copies = new Set<Promise<void>>();
  #view: View;
  #sizes: { readonly total: number; readonly inUse: number } | undefined;
  /** Called when the last snapshot is closed. */
  #whenUnviewed: (() => void) | undefined;

  constructor(env: LmdbEnv, links: StoreLinks) {
    this.#env = env;
    this.#links = links;
    this.#view = env.view();
    this.#generations = new RowGenerations({
      get: (bucket, key) => this.#env.get(this.#view, bucket, key),
      scan: (bucket, range, visit) => this.#env.scan(this.#view, bucket, { range, visit }),
      flush: (rows, done) => this.#flush(rows, done),
      defer: setImmediate,
    });
  }

  get(bucket: Bucket, key: Uint8Array): Uint8Array | undefined {
    return this.#generations.get(bucket, key);
  }

  scan(bucket: Bucket, range: ScanRange, visit: RowVisit): void {
    this.#generations.scan(bucket, range, visit);
  }

  write(rows: readonly RowWrite[], run?: RowRun): void {
    this.#generations.write(rows, run);
  }

  commit(done: Done): void {
    this.#generations.commit(done);
  }

  snapshot(): BackendSnapshot {
    invariant(!this.#generations.isClosed, "snapshot of a closed backend");
    this.#view.retain();
    const snapshot = new LmdbSnapshot(this.#env, this.#view, () => {
      this.#snapshots.delete(snapshot);
      if (this.#snapshots.size === 0) this.#whenUnviewed?.();
    });
    this.#snapshots.add(snapshot);
    return snapshot;
  }

  sizes(): { readonly total: number; readonly inUse: number } {
    if (this.#sizes === undefined) {
      invariant(!this.#generations.isClosed, "sizes of a closed backend");
      this.#sizes = this.#env.sizes();
    }
    return this.#sizes;
  }

  copyTo(into: string, done: Done): void {
    const copy = this.#copy(into).then(
      () => setImmediate(done, undefined),
      (error: Error) => setImmediate(done, error),
    );
    const tracked = copy.then(() => void this.#copies.delete(tracked));
    this.#copies.add(tracked);
  }

  close(done: () => void): void {
    // A later call of `sizes` returns these.
    this.#sizes ??= this.#env.sizes();
    this.#generations.close(() => void this.#close().then(() => setImmediate(done)));
  }

  #flush(rows: RowBatch, done: Done): void {
    if (rows.count === 0) {
      setImmediate(done, undefined);
      return;
    }
    this.#env.store(rows).then(
      () => setImmediate(() => done(this.#advanceView())),
      (error: Error) => setImmediate(done, error),
    );
  }

  /** Lets reads see the new commit from now on. Returns the error that prevents it. */
  #advanceView(): Error | undefined {
    const former = this.#view;
    try {
      this.#view = this.#env.view();
    } catch (error) {
      return error as Error;
    }
    former.release();
    this.#sizes = undefined;
    return undefined;
  }

  async #copy(into: string): Promise<void> {
    const path = this.#links.pathOf(into);
    if (existsSync(path)) throw new Error(`backend ${path} exists already`);
    const partial = path + partialSuffix;
    const view = this.snapshot();
    try {
      rmSync(partial, { force: true });
      await copyRows(view, { path: partial, name: into }, () => !this.#generations.isClosed);
      renameSync(partial, path);
      syncDirectory(join(path, ".."));
    } finally {
      view.close();
      rmSync(partial, { force: true });
      rmSync(`${partial}-lock`, { force: true });
    }
  }

  /** Never rejects. */
  async #close(): Promise<void> {
    await Promise.all(this.#copies);
    if (this.#snapshots.size > 0) {
      await new Promise<void>((resolve) => {
        this.#whenUnviewed = resolve;
      });
    }
    this.#view.release();
    // If the library cannot close the file, nothing more can be done about it here.
    await this.#env.close().catch(() => {});
    this.#links.closed();
  }
}

class LmdbSnapshot implements BackendReader, BackendSnapshot {
  readonly #env: LmdbEnv;
  readonly #view: View;
  readonly #closed: () => void;
  #isOpen = true;

  constructor(env: LmdbEnv, view: View, closed: () => void) {
    this.#env = env;
    this.#view = view;
    this.#closed = closed;
  }

  get(bucket: Bucket, key: Uint8Array): Uint8Array | undefined {
    invariant(this.#isOpen, "read of a closed snapshot");
    return this.#env.get(this.#view, bucket, key);
  }

  scan(bucket: Bucket, range: ScanRange, visit: RowVisit): void {
    invariant(this.#isOpen, "read of a closed snapshot");
    const { from, to } = range;
    if (to !== undefined && Buffer.compare(from, to) >= 0) return;
    this.#env.scan(this.#view, bucket, { range, visit });
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#view.release();
    this.#closed();
  }
}
