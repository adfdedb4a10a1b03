/**
 * What is on the disk of one member and what is only in its memory. `images` gives every state of
 * the disk that a crash at this moment can leave; `version` changes whenever that list may have
 * changed.
 *
 * BoltStore is etcd's: one open transaction behind one mutex; a commit makes all of it durable at
 * once. UnitStore is ours (platform/backend.ts): writes are units, and a crash keeps a prefix of
 * them.
 */
import { invariant } from "../../../base/invariant.js";
import { indexRow, numberIn, type Rows, type StudyRow, type Value } from "./log-entry.js";
import type { ActorName } from "./plan.js";

export interface Store {
  readonly version: number;
  /** What readers in the process see. */
  readonly rows: Rows;
  /** The surely durable image comes first. */
  images(): readonly Rows[];
  /** Changes that are not durable yet, for the diagram. */
  unsaved(): readonly StudyRow[];
}

/** etcd's store. */
export class BoltStore implements Store {
  version = 0;
  /** Changed rows since the last commit. */
  pending = 0;
  readonly #open: Map<string, Value>;
  #durable: Rows;
  #unsaved = new Map<string, Value>();
  #holder: ActorName | undefined;

  constructor(image: Rows) {
    this.#durable = new Map(image);
    this.#open = new Map(image);
  }

  get rows(): Rows {
    return this.#open;
  }

  get isFree(): boolean {
    return this.#holder === undefined;
  }

  lock(holder: ActorName): void {
    invariant(this.#holder === undefined, "the mutex is held");
    this.#holder = holder;
  }

  unlock(holder: ActorName): void {
    invariant(this.#holder === holder, "the mutex is another's");
    this.#holder = undefined;
  }

  /** Only the holder of the mutex may call it. */
  put(holder: ActorName, rows: readonly StudyRow[]): void {
    invariant(this.#holder === holder, "a write without the mutex");
    for (const [name, value] of rows) {
      this.#open.set(name, value);
      this.#unsaved.set(name, value);
      this.pending++;
    }
  }

  /** Only the holder of the mutex may call it. */
  commit(holder: ActorName): void {
    invariant(this.#holder === holder, "a commit without the mutex");
    this.#durable = new Map(this.#open);
    this.#unsaved.clear();
    this.pending = 0;
    this.version++;
  }

  images(): readonly Rows[] {
    return [this.#durable];
  }

  unsaved(): readonly StudyRow[] {
    return [...this.#unsaved];
  }
}

/** Lockstep's store. */
export class UnitStore implements Store {
  version = 0;
  isCommitting = false;
  isPaused = false;
  /** An entry has gathered rows that are not written yet. */
  isInEntry = false;
  readonly #rows: Map<string, Value>;
  #durable: Rows;
  #units: (readonly StudyRow[])[] = [];
  #committing = 0;

  constructor(image: Rows) {
    this.#durable = new Map(image);
    this.#rows = new Map(image);
  }

  get rows(): Rows {
    return this.#rows;
  }

  get pending(): number {
    return this.#units.length;
  }

  /** One unit: all of it or nothing survives. */
  write(unit: readonly StudyRow[]): void {
    this.isInEntry = false;
    for (const [name, value] of unit) this.#rows.set(name, value);
    this.#units.push(unit);
    this.version++;
  }

  startCommit(): void {
    invariant(!this.isCommitting, "a second commit runs");
    this.isCommitting = true;
    this.#committing = this.#units.length;
  }

  finishCommit(): void {
    const durable = new Map(this.#durable);
    for (const unit of this.#units.splice(0, this.#committing)) {
      for (const [name, value] of unit) durable.set(name, value);
    }
    this.#durable = durable;
    this.isCommitting = false;
    this.version++;
  }

  /** A file with the durable rows replaces the old one. */
  changeFile(): void {
    invariant(this.#units.length === 0, "the copy would lack what is not durable");
    this.#durable = new Map(this.#durable);
    this.version++;
  }

  /** Whether or not a commit runs: the backend may save early, but in order and in whole units. */
  images(): readonly Rows[] {
    const images: Rows[] = [this.#durable];
    const image = new Map(this.#durable);
    for (const unit of this.#units) {
      for (const [name, value] of unit) image.set(name, value);
      images.push(new Map(image));
    }
    return images;
  }

  unsaved(): readonly StudyRow[] {
    return [...new Map(this.#units.flat())];
  }
}

/** The consistent index that these rows hold; 0 if none. */
export function indexOf(rows: Rows): number {
  return numberIn(rows, indexRow);
}
