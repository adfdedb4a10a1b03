/**
 * Compaction of old revisions by the cluster itself (etcd's --auto-compaction-mode and -retention).
 * The leader decides alone, and proposes an ordinary compaction; the log carries it to all members.
 *
 * The pace is etcd's (server/etcdserver/api/v3compactor). "periodic": every member notes its revision ten
 * times in a period (of at most an hour), for as long as the retention is. Once that time has passed,
 * the leader compacts at the oldest note, then again after each period. That note is one look older
 * than the retention, so whatever was current within the retention can still be read. "revision": every five minutes the leader keeps the newest
 * revisions of the given number.
 *
 * A new leader goes on with its own notes, because every member takes them.
 */
import type { Done } from "../../base/done.js";
import { KvError } from "../../base/errors.js";
import type { Clock, Timer } from "../../platform/clock.js";

export interface AutoCompactionConfig {
  readonly mode: "periodic" | "revision";
  /** Milliseconds, or a number of revisions. 0: no automatic compaction. */
  readonly retention: number;
  /** Milliseconds between two looks in mode "revision". */
  readonly revisionLookMs: number;
}

export interface AutoCompactionParts {
  readonly clock: Clock;
  readonly config: AutoCompactionConfig;
  isLeader(): boolean;
  /** The revision of the applied state. */
  revision(): number;
  compact(revision: number, done: Done<unknown>): void;
  log(level: "info" | "warn", message: string, fields: Readonly<Record<string, unknown>>): void;
}

/** What this member did and will do as the leader. */
export interface AutoCompactionStatus {
  /** The last revision that this member compacted by itself. 0: none. */
  readonly lastRevision: number;
  /** The revision at which the next compaction would happen if it were now. 0: none yet. */
  readonly nextRevision: number;
  /**
   * Milliseconds until the next compaction may happen. Undefined: never, or this member does not
   * lead.
   */
  readonly dueInMs: number | undefined;
}

const hourMs = 3_600_000;
const notesPerPeriod = 10;

export class AutoCompaction {
  readonly #parts: AutoCompactionParts;
  /** Milliseconds between two looks. */
  readonly #lookMs: number;
  /** How many notes the retention needs. */
  readonly #notesMax: number;
  /** Revisions at the last looks, the oldest first. Only in mode "periodic". */
  #notes: number[] = [];
  #timer: Timer | undefined;
  #lastRevision = 0;
  #lastMs: number;
  /**
   * Milliseconds that must have passed since the last compaction. At first this is the whole
   * retention.
   */
  #waitMs: number;
  #nextLookMs: number;
  #isCompacting = false;

  constructor(parts: AutoCompactionParts) {
    this.#parts = parts;
    const { mode, retention, revisionLookMs } = parts.config;
    const isPeriodic = mode === "periodic";
    this.#lookMs = isPeriodic ? Math.min(retention, hourMs) / notesPerPeriod : revisionLookMs;
    this.#notesMax = isPeriodic ? Math.floor(retention / this.#lookMs) + 1 : 0;
    this.#waitMs = isPeriodic ? retention : 0;
    this.#lastMs = parts.clock.now();
    this.#nextLookMs = this.#lastMs + this.#lookMs;
  }

  /** Call once, when the member serves. */
  start(): void {
    if (this.#parts.config.retention === 0) return;
    this.#lastMs = this.#parts.clock.now();
    this.#wait();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Undefined: automatic compaction is off. */
  status(): AutoCompactionStatus | undefined {
    const { config, clock } = this.#parts;
    if (config.retention === 0) return undefined;
    const dueMs = Math.max(this.#lastMs + this.#waitMs, this.#nextLookMs);
    return {
      lastRevision: this.#lastRevision,
      nextRevision: Math.max(0, this.#target()),
      dueInMs: this.#parts.isLeader() ? Math.max(0, dueMs - clock.now()) : undefined,
    };
  }

  /** Notes the revision and waits for the next look. */
  #wait(): void {
    const { clock, config } = this.#parts;
    if (config.mode === "periodic") {
      this.#notes.push(this.#parts.revision());
      if (this.#notes.length > this.#notesMax) this.#notes.shift();
    }
    this.#nextLookMs = clock.now() + this.#lookMs;
    this.#timer = clock.after(this.#lookMs, () => {
      this.#look();
      this.#wait();
    });
  }

  #target(): number {
    const { config, revision } = this.#parts;
    return config.mode === "periodic" ? (this.#notes[0] ?? 0) : revision() - config.retention;
  }

  #look(): void {
    const { clock, config } = this.#parts;
    if (!this.#parts.isLeader() || this.#isCompacting) return;
    const revision = this.#target();
    if (revision <= 0 || revision === this.#lastRevision) return;
    if (clock.now() - this.#lastMs < this.#waitMs) return;
    if (config.mode === "periodic") this.#waitMs = Math.min(config.retention, hourMs);
    this.#compact(revision);
  }

  #compact(revision: number): void {
    const { config, clock } = this.#parts;
    const log = (level: "info" | "warn", event: string, more: object = {}): void =>
      this.#parts.log(level, `${event} auto ${config.mode} compaction`, { revision, ...more });
    log("info", "starting");
    this.#isCompacting = true;
    this.#parts.compact(revision, (result) => {
      this.#isCompacting = false;
      if (result instanceof KvError && result.reason !== "compacted") {
        log("warn", "failed", { "retry-interval-ms": this.#lookMs, error: result.message });
        return;
      }
      this.#lastRevision = revision;
      this.#lastMs = clock.now();
      log("info", "completed");
    });
  }
}
