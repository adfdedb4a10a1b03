/**
 * Linearizable reads (Raft thesis 6.4, ReadIndex). A batch of readers asks raft for a read index,
 * then waits until that index is applied here. A round belongs to the batch that was waiting when
 * it began, so no reader is answered by a round older than itself. A retry is a new round with a
 * fresh id (without that, the bug of etcd #20418 appears).
 */

import type { Done } from "../../base/done.js";
import { KvError } from "../../base/errors.js";
import { invariant } from "../../base/invariant.js";

/** Milliseconds after which an unanswered round is repeated: request or answer may be lost. */
const retryMs = 500;

interface Reader {
  readonly sinceMs: number;
  readonly done: Done<void>;
}
interface Round {
  readonly readers: readonly Reader[];
  askedMs: number;
  /**
   * Every id that was asked for this batch, with the applied index at that time. An answer to any
   * of them serves the batch.
   */
  readonly asked: Map<number, number>;
}

interface Confirmed {
  readonly index: number;
  readonly readers: readonly Reader[];
  /** Position of the first reader that is not answered yet. */
  next: number;
}
/** How many readers are answered between two looks at the clock. */
const readersPerLook = 16;

export class ReadBarrier {
  #arriving: Reader[] = [];
  #round: Round | undefined;
  /** Confirmed readers that wait for the apply; indexes ascending. */
  #confirmed: Confirmed[] = [];
  #nextId: number;
  readonly #waited: (sinceMs: number) => void;
  slowRounds = 0;
  failedRounds = 0;

  /** `waited` is told of each reader that was answered or given up: when it began to wait. */
  constructor(firstId: number, waited: (sinceMs: number) => void = () => {}) {
    this.#nextId = firstId;
    this.#waited = waited;
  }

  /** Calls `done` once: when a read index is confirmed and applied here, or with an error. */
  add(nowMs: number, done: Done<void>): void {
    this.#arriving.push({ sinceMs: nowMs, done });
  }

  /**
   * The id to ask raft for now, if a round should begin or be repeated; else undefined.
   *
   * @param appliedIndex the index that is applied here now: no right answer lies below it
   */
  nextAsk(nowMs: number, appliedIndex: number): number | undefined {
    const round = this.#round;
    if (round !== undefined) {
      if (nowMs - round.askedMs < retryMs) return undefined;
      this.slowRounds++;
      round.askedMs = nowMs;
      round.asked.set(this.#nextId, appliedIndex);
      return this.#nextId++;
    }
    if (this.#arriving.length === 0) return undefined;
    const asked = new Map([[this.#nextId, appliedIndex]]);
    this.#round = { readers: this.#arriving, askedMs: nowMs, asked };
    this.#arriving = [];
    return this.#nextId++;
  }

  /**
   * Raft's answer to a round's id. What was applied here when the round was asked is committed, so
   * it is in the log of every leader that may answer. A leader with a lower index has lost entries.
   * Its readers must not be answered from this member's state instead (see raft/contradiction.ts).
   */
  confirm(id: number, index: number): void {
    const round = this.#round;
    const appliedThen = round?.asked.get(id);
    if (round === undefined || appliedThen === undefined) return;
    this.#round = undefined;
    if (index < appliedThen) {
      this.failedRounds++;
      for (const reader of round.readers) reader.done(new KvError("corrupt"));
      return;
    }
    invariant(round.readers.length > 0, "a round of reads without a reader", () => ({ id }));
    this.#confirmed.push({ index, readers: round.readers, next: 0 });
  }

  /**
   * Answers readers whose index is applied, until `isTimeOver`. Returns false if more of them wait.
   */
  applied(index: number, isTimeOver: () => boolean = () => false): boolean {
    let answered = 0;
    for (;;) {
      const batch = this.#confirmed[0];
      if (batch === undefined || batch.index > index) return true;
      while (batch.next < batch.readers.length) {
        if (answered > 0 && answered % readersPerLook === 0 && isTimeOver()) return false;
        answered++;
        const reader = batch.readers[batch.next++] as Reader;
        this.#waited(reader.sinceMs);
        reader.done(undefined);
        // A reader's callback may have ended all other readers.
        if (this.#confirmed[0] !== batch) return true;
      }
      this.#confirmed.shift();
    }
  }

  /**
   * Call when the leader changed. The round in flight may never be answered, so it is asked again
   * at once.
   */
  leaderChanged(): void {
    if (this.#round !== undefined) this.#round.askedMs = Number.NEGATIVE_INFINITY;
  }

  expire(deadlineMs: number): void {
    const late = (reader: Reader): boolean => reader.sinceMs <= deadlineMs;
    const failed: Reader[] = this.#arriving.filter(late);
    if (failed.length > 0) this.#arriving = this.#arriving.filter((reader) => !late(reader));
    const round = this.#round;
    if (round?.readers.every(late)) {
      this.#round = undefined;
      failed.push(...round.readers);
    }
    if (failed.length > 0) this.failedRounds++;
    for (const reader of failed) {
      this.#waited(reader.sinceMs);
      reader.done(new KvError("timeout"));
    }
    const stuck = this.#confirmed.filter((batch) => waiting(batch).every(late));
    if (stuck.length === 0) return;
    this.#confirmed = this.#confirmed.filter((batch) => !stuck.includes(batch));
    for (const reader of stuck.flatMap(waiting)) {
      this.#waited(reader.sinceMs);
      reader.done(new KvError("timeoutWaitAppliedIndex"));
    }
  }

  failAll(error: KvError): void {
    const all = [
      ...this.#arriving,
      ...(this.#round?.readers ?? []),
      ...this.#confirmed.flatMap(waiting),
    ];
    this.#arriving = [];
    this.#round = undefined;
    this.#confirmed = [];
    for (const reader of all) reader.done(error);
  }

  /** True when readers have arrived and no round is in flight, so that one can begin at once. */
  isRoundOver(): boolean {
    return this.#round === undefined && this.#arriving.length > 0;
  }
}

/** The readers of a batch that are not answered yet. */
function waiting({ readers, next }: Confirmed): readonly Reader[] {
  return next === 0 ? readers : readers.slice(next);
}
