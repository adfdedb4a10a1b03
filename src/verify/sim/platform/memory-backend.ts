/**
 * The simulator's backends: the contract of platform/backend.ts over a modelled disk.
 * Deterministic: every completion goes through the injected `defer`.
 *
 * Model of one file: two meta slots, A and B, each a whole state of the rows. A commit writes its
 * state under the slot that is not current; it is durable at the moment when the slot becomes
 * current. A crash during a commit therefore leaves either the old state or the new one, whole, and
 * `crashImages` lists both. A crash during a copy keeps all of the copy or nothing.
 */
import { invariant } from "../../../base/invariant.js";
import type { Backend, BackendSnapshot, BackendStore } from "../../../platform/backend.js";
import { type RowBatch, RowGenerations } from "../../../platform/row-generations.js";
import type { RowVisit, ScanRange } from "../../../platform/row-layer.js";
import type { RowRun } from "../../../platform/row-run.js";
import type { Bucket, RowWrite } from "../../../platform/rows.js";
import { MemoryFaults } from "./memory-backend-faults.js";
import {
  type MemoryBackendFile,
  newFile,
  type StoreImage,
  withCommit,
} from "./memory-backend-file.js";
import { emptyRows, type RowImage } from "./row-image.js";

type Done = (error: Error | undefined) => void;

export interface MemoryBackendOptions {
  /** Runs `fn` once, later; the order of these calls is the simulator's choice. */
  readonly defer: (fn: () => void) => void;
  /** The state that a crash or a clean stop left. Absent: a new member has none. */
  readonly image?: StoreImage;
}

export interface MemoryBackendStore extends BackendStore {
  readonly faults: MemoryFaults;
  /**
   * Every state of the disk that a crash at this instant can leave, the oldest first. Images are
   * frozen: later work on this store does not change them.
   */
  crashImages(): StoreImage[];
  /** Stops everything: calls no completion any more. The store is useless afterwards. */
  crash(): void;
}

/** A store with the content of `options.image`. */
export function createMemoryBackendStore(options: MemoryBackendOptions): MemoryBackendStore {
  return new MemoryStore(options);
}

class MemoryStore implements MemoryBackendStore {
  readonly faults: MemoryFaults;
  readonly #files = new Map<string, MemoryBackendFile>();
  readonly #open = new Set<string>();
  readonly #defer: (fn: () => void) => void;
  #isCrashed = false;

  constructor(options: MemoryBackendOptions) {
    this.#defer = (fn) =>
      options.defer(() => {
        if (!this.#isCrashed) fn();
      });
    for (const [name, file] of options.image ?? []) this.#files.set(name, { ...file });
    this.faults = new MemoryFaults(this.#files);
  }

  open(name: string): Backend {
    invariant(!this.#open.has(name), "backend is open already", () => ({ name }));
    const found = this.#files.get(name);
    const file = found === undefined || found.isPartial ? newFile(emptyRows) : found;
    this.#files.set(name, file);
    this.#open.add(name);
    return new MemoryBackend(file, {
      extraBytes: () => this.faults.extraBytes,
      defer: this.#defer,
      closed: () => this.#open.delete(name),
      copy: (into, rows) => this.#copy(into, rows),
    });
  }

  probe(name: string, done: (problem: Error | undefined) => void): void {
    invariant(!this.#open.has(name), "an open backend is probed", () => ({ name }));
    this.#defer(() => done(undefined));
  }

  list(): string[] {
    return [...this.#files.keys()].filter((name) => !this.#files.get(name)?.isPartial).sort();
  }

  remove(name: string): void {
    invariant(!this.#open.has(name), "an open backend cannot be removed", () => ({ name }));
    this.#files.delete(name);
  }

  crashImages(): StoreImage[] {
    let images: StoreImage[] = [new Map()];
    for (const [name, file] of this.#files) {
      const states = file.isPartial ? [undefined, file] : [file];
      const ends = file.inFlight === undefined ? states : [file, withCommit(file, file.inFlight)];
      images = ends.flatMap((end) => images.map((image) => withFile(image, name, end)));
    }
    return images;
  }

  crash(): void {
    this.#isCrashed = true;
  }

  /** Returns a function that makes the copy durable, or undefined if the name is taken. */
  #copy(into: string, rows: RowImage): (() => void) | undefined {
    if (this.#files.has(into)) return undefined;
    const file: MemoryBackendFile = { ...newFile(rows), isPartial: true };
    this.#files.set(into, file);
    return () => {
      file.isPartial = false;
    };
  }
}

function withFile(
  image: StoreImage,
  name: string,
  file: MemoryBackendFile | undefined,
): StoreImage {
  const next = new Map(image);
  if (file !== undefined) {
    next.set(name, { ...file, inFlight: undefined, isPartial: false, nextFailure: undefined });
  }
  return next;
}

interface StoreLinks {
  extraBytes(): number;
  defer(fn: () => void): void;
  closed(): void;
  copy(into: string, rows: RowImage): (() => void) | undefined;
}

class MemoryBackend implements Backend {
  readonly #file: MemoryBackendFile;
  readonly #links: StoreLinks;
  readonly #generations: RowGenerations;
  /** Running copies and open snapshots: a close waits for them. */
  #users = 0;
  #whenUnused: (() => void) | undefined;

  constructor(file: MemoryBackendFile, links: StoreLinks) {
    this.#file = file;
    this.#links = links;
    this.#generations = new RowGenerations({
      get: (bucket, key) => file.current.get(bucket, key),
      scan: (bucket, range, visit) => file.current.scan(bucket, range, visit),
      flush: (rows, done) => this.#flush(rows, done),
      defer: (fn) => links.defer(fn),
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
    let rows: RowImage | undefined = this.#file.current;
    this.#users += 1;
    const view = () => {
      invariant(rows !== undefined, "read of a closed snapshot");
      return rows;
    };
    return {
      get: (bucket, key) => view().get(bucket, key),
      scan: (bucket, range, visit) => view().scan(bucket, range, visit),
      close: () => {
        if (rows === undefined) return;
        rows = undefined;
        this.#unused();
      },
    };
  }

  sizes(): { readonly total: number; readonly inUse: number } {
    const extra = this.#links.extraBytes();
    return { total: this.#file.bytes + extra, inUse: this.#file.current.bytes + extra };
  }

  copyTo(into: string, done: Done): void {
    const finish = this.#links.copy(into, this.#file.current);
    this.#users += 1;
    this.#links.defer(() => {
      finish?.();
      done(finish === undefined ? new Error(`backend ${into} exists already`) : undefined);
      this.#unused();
    });
  }

  close(done: () => void): void {
    const closed = () =>
      this.#links.defer(() => {
        this.#links.closed();
        done();
      });
    this.#generations.close(() => {
      if (this.#users === 0) closed();
      else this.#whenUnused = closed;
    });
  }

  #unused(): void {
    this.#users -= 1;
    if (this.#users === 0) this.#whenUnused?.();
  }

  #flush(rows: RowBatch, done: Done): void {
    const file = this.#file;
    const failure = file.nextFailure;
    if (failure !== undefined) {
      file.nextFailure = undefined;
      this.#links.defer(() => done(failure));
      return;
    }
    const next = rows.count === 0 ? file.current : file.current.with(rows.rows());
    file.inFlight = next;
    this.#links.defer(() => {
      // A bit that flipped meanwhile is in a page that both slots share.
      Object.assign(file, withCommit(file, file.inFlight ?? next));
      file.inFlight = undefined;
      done(undefined);
    });
  }
}
