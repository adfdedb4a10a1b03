/**
 * The part of a backend that is the same everywhere: holds unsaved writes in two generations above
 * the stored rows. Writes go to the open generation. A commit closes it and passes it to the store
 * whole, so a `write` is never split; new writes go to the next generation.
 *
 * A generation stays readable here until the store reports that its rows are durable. It has
 * layers: one gathers small writes, and each large write is a layer of its own, because copying it
 * would take long.
 *
 * A generation must not be dropped earlier. After a failure nothing is flushed again, because a
 * failed write leaves an unknown state.
 */
import { invariant } from "../base/invariant.js";
import { type StoredScan, scanLayers } from "./layered-scan.js";
import { keyText, type RowLayer, type RowVisit, type ScanRange } from "./row-layer.js";
import { RowOverlay } from "./row-overlay.js";
import type { RowRun } from "./row-run.js";
import type { Bucket, RowWrite } from "./rows.js";

type Done = (error: Error | undefined) => void;

/** All rows of one commit. */
export interface RowBatch {
  /** How many rows there are; an overwritten row counts again. */
  readonly count: number;
  /**
   * The rows in the order in which they take effect. A key may come several times; the last one
   * counts.
   */
  rows(): Iterable<RowWrite>;
}

/** The stored rows below the generations. */
export interface StoredRows {
  get(bucket: Bucket, key: Uint8Array): Uint8Array | undefined;
  readonly scan: StoredScan;
  /**
   * Stores all rows or none, then calls `done` once, later, when they are durable and `get` and
   * `scan` show them. May be called with no rows. Called again only after `done`.
   */
  flush(rows: RowBatch, done: Done): void;
  /** Calls `fn` once, later. */
  defer(fn: () => void): void;
}

export class RowGenerations {
  readonly #stored: StoredRows;
  /** Takes the small writes. It is newer than all of `#sealed`. */
  #open = new RowOverlay();
  /** The other layers of the open generation, newest first. */
  #sealed: readonly RowLayer[] = [];
  /** The generation that is being stored, newest layer first. */
  #flushing: readonly RowLayer[] | undefined;
  /** All layers, newest first. */
  #layers: readonly RowLayer[];
  #waiting: Done[] = [];
  #failure: Error | undefined;
  #whenIdle: (() => void) | undefined;
  #isIdle = false;

  constructor(stored: StoredRows) {
    this.#stored = stored;
    this.#layers = [this.#open];
  }

  write(rows: readonly RowWrite[], run?: RowRun): void {
    this.#checkUsable();
    if (run !== undefined && run.count > 0) {
      this.#sealed = [run, this.#open, ...this.#sealed];
      this.#open = new RowOverlay();
      this.#layers = [this.#open, ...this.#sealed, ...(this.#flushing ?? [])];
    }
    this.#open.apply(rows);
  }

  /** True once reads and writes are refused. */
  get isClosed(): boolean {
    return this.#whenIdle !== undefined;
  }

  get(bucket: Bucket, key: Uint8Array): Uint8Array | undefined {
    invariant(this.#whenIdle === undefined, "read of a closed backend");
    let text: string | undefined;
    for (const layer of this.#layers) {
      if (layer.isEmpty(bucket)) continue;
      text ??= keyText(key);
      const row = layer.find(bucket, text);
      if (row !== undefined) return row.value;
    }
    return this.#stored.get(bucket, key);
  }

  scan(bucket: Bucket, range: ScanRange, visit: RowVisit): void {
    invariant(this.#whenIdle === undefined, "read of a closed backend");
    const layers = { overlays: this.#layers, stored: this.#stored.scan };
    scanLayers(layers, bucket, { range, visit });
  }

  commit(done: Done): void {
    invariant(this.#whenIdle === undefined, "commit on a closed backend");
    const failure = this.#failure;
    if (failure !== undefined) {
      this.#stored.defer(() => done(failure));
      return;
    }
    this.#waiting.push(done);
    if (this.#flushing === undefined) this.#flush();
  }

  /** Calls `idle` once, now or when the running flush has ended. Nothing is written after that. */
  close(idle: () => void): void {
    invariant(this.#whenIdle === undefined, "a backend is closed once");
    this.#whenIdle = idle;
    if (this.#flushing === undefined || this.#failure !== undefined) this.#goIdle();
  }

  /**
   * After a close from inside a commit's `done` this is called twice; only the first call counts.
   */
  #goIdle(): void {
    if (this.#isIdle) return;
    this.#isIdle = true;
    this.#whenIdle?.();
  }

  #flush(): void {
    const batch = this.#waiting;
    this.#waiting = [];
    const layers = [this.#open, ...this.#sealed];
    this.#flushing = layers;
    this.#open = new RowOverlay();
    this.#sealed = [];
    this.#layers = [this.#open, ...layers];
    this.#stored.flush(new Generation(layers), (error) => this.#flushed(batch, error));
  }

  #flushed(batch: readonly Done[], error: Error | undefined): void {
    if (error !== undefined) this.#fail(batch, error);
    else {
      this.#flushing = undefined;
      this.#layers = [this.#open, ...this.#sealed];
      for (const done of batch) done(undefined);
      const isNextDue = this.#waiting.length > 0 && this.#flushing === undefined;
      if (isNextDue && this.#whenIdle === undefined) this.#flush();
      else if (this.#whenIdle !== undefined) this.#abandon();
    }
  }

  /** The failed rows stay readable: they are right, only not saved. */
  #fail(batch: readonly Done[], error: Error): void {
    this.#failure = error;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const done of [...batch, ...waiting]) done(error);
    if (this.#whenIdle !== undefined) this.#goIdle();
  }

  #abandon(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const done of waiting) done(new Error("the backend was closed before this commit"));
    this.#goIdle();
  }

  #checkUsable(): void {
    if (this.#failure !== undefined) throw this.#failure;
    invariant(this.#whenIdle === undefined, "write to a closed backend");
  }
}

class Generation implements RowBatch {
  readonly #layers: readonly RowLayer[];
  readonly count: number;

  /** Newest layer first. */
  constructor(layers: readonly RowLayer[]) {
    this.#layers = layers;
    this.count = layers.reduce((sum, layer) => sum + layer.count, 0);
  }

  *rows(): Iterable<RowWrite> {
    for (let at = this.#layers.length - 1; at >= 0; at--)
      yield* (this.#layers[at] as RowLayer).rows();
  }
}
