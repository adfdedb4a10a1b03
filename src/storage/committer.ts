/**
 * Decides when applied state becomes durable in the backend, and how much of the log may then be
 * forgotten. A backend commit holds whole entries only (the backend guarantees it); the log is
 * released only below an index whose commit is durable, so a restart always finds the rest.
 */
import type { Backend } from "../platform/backend.js";
import type { Clock, Timer } from "../platform/clock.js";
import type { SnapshotMeta } from "../raft/types.js";
import type { Digests } from "../state/types.js";
import type { RaftLog } from "../wal/raft-log.js";
import type { Wal } from "../wal/wal.js";

/** Above this much log in memory it is compacted even if it is young. */
const logBytesMax = 256 * 1024 * 1024;

export interface CommitterParts {
  readonly clock: Clock;
  readonly log: RaftLog;
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
  /** What the log is to remember of the state as it is now; undefined: nothing. */
  checkpointNote(): Uint8Array | undefined;
  /** The index of a state that is being sent: who gets it goes on from there by log; undefined: none. */
  sentIndex(): number | undefined;
  /** True while the log must not be released: it is needed to heal. */
  isLogHeld(): boolean;
  failed(error: Error): void;
}

export interface StateProof {
  readonly meta: SnapshotMeta;
  readonly root: Uint8Array;
  /** As they stand in memory at that moment. */
  readonly digests: Digests;
}

export class Committer {
  readonly #parts: CommitterParts;
  #timer: Timer | undefined;
  #sinceCommit = 0;
  #isRunning = false;
  #isStopped = false;
  /** Everything up to here survives a crash without the log. */
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

  /** Entries were applied. */
  applied(entries: number): void {
    this.#sinceCommit += entries;
    if (this.#sinceCommit >= this.#parts.batchLimit) this.#commit();
    else if (this.#timer === undefined && !this.#isRunning) this.#arm();
  }

  /**
   * Calls `done` when all that is applied now is durable. Then, inside `done`, the backend's
   * snapshot is exactly the state that the proof describes (it may be newer than this call, or another
   * one that took the place of that). What `done` throws stops the member.
   */
  flush(done: (proof: StateProof) => void): void {
    this.#waiting.push(done);
    this.#commit();
  }

  /** The backend was replaced by one that is durable up to `durable` (as it is). */
  replaced(durable = this.#parts.appliedMeta()): void {
    this.#durable = durable;
    this.#sinceCommit = 0;
    // Nothing more may be applied for long: the log knows of it from now on.
    this.#parts.wal.note(this.#parts.checkpointNote, () => {});
  }

  /** No commit begins any more. */
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
    // A crash may leave the note without the state, never the state without its note.
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
      this.#isRunning = false;
      if (backend !== this.#parts.backend()) {
        // Another state has taken its place, and neither success nor failure says anything of that.
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

  /** Forgets log that neither a restart nor a slightly lagging follower needs. */
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
    const term = log.term(index);
    if (term === undefined || index < log.firstIndex()) return;
    // The configuration stands in the backend; the marker's one serves readers of the WAL alone.
    wal.saveSnapshot({ index, term, confState: this.#durable.confState }, () => {
      wal.purge(index);
    });
    log.compact(index);
  }
}
