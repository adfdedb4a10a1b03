/**
 * The backend of a machine, which can change while the machine stays: a rewritten backend has the
 * same rows. While the new one is made, the machine's writes are recorded, so that it gets them,
 * too.
 */
import type { Backend, BackendReader } from "../platform/backend.js";
import type { RowRun } from "../platform/row-run.js";
import type { Bucket, RowWrite } from "../platform/rows.js";

export interface RecordedWrite {
  readonly rows: readonly RowWrite[];
  readonly run: RowRun | undefined;
}

/** Every write since the record began, in order. */
export interface WriteRecord {
  /** How many writes were not taken yet. */
  readonly length: number;
  /** True after `stop`, and when another record began. Writes are missing then. */
  readonly isStopped: boolean;
  /** Takes the oldest write that was not taken. Undefined: there is none. */
  take(): RecordedWrite | undefined;
  /** Ends the record and drops its writes. */
  stop(): void;
}

export class MovableBackend implements BackendReader {
  #backend: Backend;
  #record: Queue | undefined;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  get(bucket: Bucket, key: Uint8Array): Uint8Array | undefined {
    return this.#backend.get(bucket, key);
  }

  scan(...asked: Parameters<BackendReader["scan"]>): void {
    this.#backend.scan(...asked);
  }

  write(rows: readonly RowWrite[], run?: RowRun): void {
    this.#backend.write(rows, run);
    this.#record?.add({ rows, run });
  }

  /**
   * Begins a record of all writes. There is one record at a time: a new one ends the one before.
   */
  record(): WriteRecord {
    this.#record?.stop();
    const record = new Queue(() => {
      if (this.#record === record) this.#record = undefined;
    });
    this.#record = record;
    return record;
  }

  /** Uses this backend from now on. It must have the same rows. */
  moveTo(backend: Backend): void {
    this.#backend = backend;
  }
}

class Queue implements WriteRecord {
  readonly #stopped: () => void;
  #writes: (RecordedWrite | undefined)[] = [];
  #taken = 0;
  isStopped = false;

  constructor(stopped: () => void) {
    this.#stopped = stopped;
  }

  get length(): number {
    return this.#writes.length - this.#taken;
  }

  add(write: RecordedWrite): void {
    this.#writes.push(write);
  }

  take(): RecordedWrite | undefined {
    const write = this.#writes[this.#taken];
    if (write === undefined) return undefined;
    this.#writes[this.#taken++] = undefined;
    if (this.#taken === this.#writes.length) {
      this.#writes = [];
      this.#taken = 0;
    }
    return write;
  }

  stop(): void {
    this.#writes = [];
    this.#taken = 0;
    this.isStopped = true;
    this.#stopped();
  }
}
