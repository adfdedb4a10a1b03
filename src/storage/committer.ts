/**
 * Decides when applied state becomes durable in the backend, and how much of the log may be dropped
 * then. The backend guarantees that a commit holds whole entries only. The log is dropped only
 * below an index whose commit is durable, so a restart always finds the rest.
 */
import { invariant } from "../base/invariant.js";
import type { Backend } from "../platform/backend.js";
import type { Clock, Timer } from "../platform/clock.js";
import type { SnapshotMeta } from "../raft/types.js";
import type { Digests } from "../state/types.js";
import type { MemoryLogStorage } from "../wal/memory-log-storage.js";
import type { Wal } from "../wal/wal.js";

/** With more bytes of log than this in memory, the log is compacted even if it is young. */
const logBytesMax = 256 * 1024 * 1024;

export interface CommitterParts {
  readonly clock: Clock;
  readonly log: MemoryLogStorage;
  readonly wal: Wal;
  backend(): Backend;
  /** Index, term and configuration of the state that `backend` shows now. */
  appliedMeta(): SnapshotMeta;
  /** The same with the root digest; costs a hash. */
  proof(): StateProof;
  readonly batchMs: number;
  readonly batchLimit: number;
  readonly snapshotCount: number;
  readonly catchupEntries: number;
  /** The note about the current state that the log must store. Undefined: none is needed. */
  checkpointNote(): Uint8Array | undefined;
  /**
   * The index of a state that is being sent: its receiver continues from there by log. Undefined:
   * none is being sent.
   */
  sentIndex(): number | undefined;
  /** True while the log must not be dropped because healing needs it. */
  isLogHeld(): boolean;
  failed(error: Error): void;
}

export interface StateProof {
  readonly meta: SnapshotMeta;
  readonly root: Uint8Array;
  /** The digests in memory at that moment. */
  readonly digests: Digests;
}

export class Committer {
  readonly #parts: CommitterParts;
  #timer: Timer | undefined;
  #sinceCommit = 0;
  #isRunning = false;
  #isStopped = false;
  /** The state that survives a crash without the log. */
  #durable: SnapshotMeta;
  #waiting: ((proof: StateProof) => void)[] = [];
  commits = 0;

  constructor(parts: CommitterParts) {
    this.#parts = parts;
    this.#durable = parts.appliedMeta();
  }

  durableIndex(): number {
    return this.#durable.index;
  }

  /** Call when entries were applied. */
  applied(entries: number): void {
    this.#sinceCommit += entries;
    if (this.#sinceCommit >= this.#parts.batchLimit) this.#commit();
    else if (this.#timer === undefined && !this.#isRunning) this.#arm();
  }

  /**
   * Calls `done` when everything that is applied now is durable. Inside `done` the backend's
   * snapshot is exactly the state that the proof describes. That state may be newer than this call,
   * or another one that replaced it. If `done` throws, the member stops.
   */
  flush(done: (proof: StateProof) => void): void {
    this.#waiting.push(done);
    this.#commit();
  }

  /**
   * Call when another backend came into use that is durable up to `durable` (default: all that is
   * applied).
   */
  replaced(durable = this.#parts.appliedMeta()): void {
    this.#durable = durable;
    this.#checkDurable();
    this.#sinceCommit = 0;
    // The next entry may take long to come, so the log gets the note at once.
    this.#parts.wal.note(this.#parts.checkpointNote, () => {});
  }

  #checkDurable(): void {
    const applied = this.#parts.appliedMeta();
    invariant(this.#durable.index <= applied.index, "more is durable than is applied", () => ({
      durable: this.#durable.index,
      applied: applied.index,
    }));
  }

  /** No commit begins after this. */
  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  #arm(): void {
    this.#timer = this.#parts.clock.after(this.#parts.batchMs, () => {
      this.#timer = undefined;
      this.#commit();
    });
  }

  #commit(): void {
    if (this.#isRunning || this.#isStopped) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#isRunning = true;
    // After a crash there may be a note without its state, but no state without its note.
    this.#parts.wal.note(this.#parts.checkpointNote, () => this.#commitNow());
  }

  #commitNow(): void {
    if (this.#isStopped) return;
    this.#sinceCommit = 0;
    const meta = this.#parts.appliedMeta();
    const waiting = this.#waiting;
    this.#waiting = [];
    const proof = waiting.length > 0 ? this.#parts.proof() : undefined;
    const backend = this.#parts.backend();
    backend.commit((error) => {
      invariant(this.#isRunning, "a commit ends twice");
      this.#isRunning = false;
      if (backend !== this.#parts.backend()) {
        // Another state is in use now. The result of this commit says nothing about that one.
        this.#waiting.unshift(...waiting);
        if (this.#waiting.length > 0) this.#commit();
        else if (this.#sinceCommit > 0) this.#arm();
        return;
      }
      if (error !== undefined) {
        this.#parts.failed(error);
        return;
      }
      this.commits++;
      if (meta.index > this.#durable.index) this.#durable = meta;
      this.#checkDurable();
      this.#releaseLog();
      if (proof !== undefined) this.#tell(waiting, proof);
      if (this.#waiting.length > 0) this.#commit();
      else if (this.#sinceCommit > 0) this.#arm();
    });
  }

  #tell(waiting: readonly ((proof: StateProof) => void)[], proof: StateProof): void {
    for (const done of waiting) {
      try {
        done(proof);
      } catch (error) {
        this.#parts.failed(error as Error);
      }
    }
  }

  /** Drops log that neither a restart nor a slightly lagging follower needs. */
  #releaseLog(): void {
    if (this.#parts.isLogHeld()) return;
    const { log, wal, snapshotCount, catchupEntries } = this.#parts;
    const held = this.#durable.index - log.firstIndex() + 1;
    const isLarge = log.bytes() > logBytesMax;
    if (held < snapshotCount + catchupEntries && !isLarge) return;
    const unneeded =
      this.#durable.index - (isLarge ? Math.min(catchupEntries, held >> 1) : catchupEntries);
    const sent = isLarge ? undefined : this.#parts.sentIndex();
    const index = Math.min(unneeded, sent ?? unneeded);
    invariant(index <= this.#durable.index, "log is dropped that a restart needs", () => ({
      index,
      durable: this.#durable.index,
    }));
    const term = log.term(index);
    if (term === undefined || index < log.firstIndex()) return;
    // A restart takes the configuration from the backend. The marker's is for readers of the WAL.
    wal.saveSnapshot({ index, term, confState: this.#durable.confState }, () => {
      wal.purge(index);
    });
    log.compact(index);
  }
}
