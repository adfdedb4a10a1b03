/**
 * The one place where consensus meets I/O. Events gather in an inbox; a turn, run when the events
 * already due have been handled, steps them all, and hands out what raft made of them: one WAL
 * batch, one message per destination and kind, one pass of apply. Batching is by turn, no timer
 * waits to fill one. A pass of apply that is not done goes on in the next turn, beside everything
 * else. Nothing here awaits, so the simulator decides every order.
 */
import type { Clock } from "../../platform/clock.js";
import {
  type Contradiction,
  type Entry,
  type Message,
  ProposalDropped,
  type RaftEvent,
  type RaftNode,
  type Ready,
} from "../../raft/types.js";
import type { RaftLog } from "../../wal/raft-log.js";
import type { Wal } from "../../wal/wal.js";
import type { AppliedSome } from "./applier.js";
import type { Proposals, QueuedEntry } from "./proposals.js";
import type { ReadBarrier } from "./read-barrier.js";

export interface DriverParts {
  readonly clock: Clock;
  readonly raft: RaftNode;
  readonly log: RaftLog;
  readonly wal: Wal;
  readonly proposals: Proposals;
  readonly reads: ReadBarrier;
  /** Entries come to the log; those who hear of it next count on them. @throws to stop the member */
  appending(entries: readonly Entry[]): void;
  /** To be applied behind what waits already. */
  apply(entries: readonly Entry[]): void;
  /** Some of it, for one turn: into the state machine, and answers for those who wait. */
  applySome(): AppliedSome;
  /** Between two turns of one entry; 0: none but what else is due. */
  readonly applyPauseMs: number;
  /** Something waits to be applied. */
  isApplying(): boolean;
  /** The last index that was applied. */
  appliedIndex(): number;
  send(message: Message): void;
  /** False while nothing sent to the leader would arrive: better to wait than to lose it. */
  canReachLeader(): boolean;
  softStateChanged(state: NonNullable<Ready["softState"]>): void;
  /** A leader's log lacks what is committed, here or at a follower. */
  contradicted(found: Contradiction): void;
  /** A snapshot whose content was fetched and verified before raft was told of it. */
  installSnapshot(index: number, done: () => void): void;
  /** Our own bug or a failed disk: the member must stop. */
  failed(error: Error): void;
}

export class Driver {
  readonly #parts: DriverParts;
  readonly #id: bigint;
  #inbox: RaftEvent[] = [];
  #isScheduled = false;
  #isStopped = false;
  #isPaused = false;
  /** While a snapshot is being installed, later work waits: it builds on the new state. */
  #isInstalling = false;

  constructor(id: bigint, parts: DriverParts) {
    this.#id = id;
    this.#parts = parts;
  }

  /** Adds an event for the coming turn. */
  post(event: RaftEvent): void {
    this.#inbox.push(event);
    this.schedule();
  }

  /** Asks for a turn: something waits in the proposals, the reads or the inbox. */
  schedule(): void {
    if (this.#isScheduled || this.#isStopped) return;
    this.#isScheduled = true;
    this.#parts.clock.defer(this.#turn);
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** No turn runs until `resume`; events gather. */
  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.schedule();
  }

  isInstalling(): boolean {
    return this.#isInstalling;
  }

  /** Raft may still decide to install what it was offered. */
  isUndecided(): boolean {
    return this.#isInstalling || this.#inbox.length > 0;
  }

  readonly #turn = (): void => {
    this.#isScheduled = false;
    if (this.#isStopped || this.#isPaused || this.#isInstalling) return;
    try {
      this.#stepInbox();
      this.#propose();
      this.#askReads();
      this.#handOut();
    } catch (error) {
      this.#parts.failed(error as Error);
    }
  };

  #stepInbox(): void {
    const events = this.#inbox;
    this.#inbox = [];
    for (const event of events) this.#parts.raft.step(event);
  }

  #propose(): void {
    const { proposals, raft } = this.#parts;
    if (!proposals.hasQueued() || !this.#parts.canReachLeader()) return;
    const entries = this.#rightOnes(proposals.takeQueued());
    if (entries.length === 0) return;
    try {
      raft.step({ kind: "proposed", entries });
    } catch (error) {
      if (!(error instanceof ProposalDropped)) throw error;
      proposals.putBack(entries);
    }
  }

  /**
   * A leader's decisions come before what clients ask for in this turn, and only if they are right
   * now: the end of the log may have changed what they were about. A paused leader decides first and
   * hears of its successor then: that is never passed on.
   */
  #rightOnes(queued: readonly QueuedEntry[]): readonly QueuedEntry[] {
    if (queued.every(({ isRight }) => isRight === undefined)) return queued;
    const asked = queued.filter(({ isRight }) => isRight === undefined);
    if (!this.#parts.raft.isLeader()) return asked;
    return [...queued.filter(({ isRight }) => isRight?.() === true), ...asked];
  }

  #askReads(): void {
    const { reads, raft, clock } = this.#parts;
    if (!this.#parts.canReachLeader()) return;
    const id = reads.nextAsk(clock.now(), this.#parts.appliedIndex());
    if (id !== undefined) raft.step({ kind: "readIndex", id });
  }

  #handOut(): void {
    const { raft } = this.#parts;
    let isTurnOver = false;
    for (;;) {
      const ready = raft.takeReady();
      if (ready === undefined) {
        if (isTurnOver || !this.#parts.isApplying()) break;
        isTurnOver = this.#applySome();
        continue;
      }
      if (ready.softState !== undefined) this.#parts.softStateChanged(ready.softState);
      for (const found of ready.contradictions) this.#parts.contradicted(found);
      for (const state of ready.readStates) this.#parts.reads.confirm(state.id, state.index);
      for (const message of ready.send) this.#route(message);
      if (ready.append !== undefined) this.#append(ready.append);
      // A log that fails at once has ended the member, and closed what would be applied to.
      if (this.#isStopped) return;
      if (ready.apply.length > 0) this.#parts.apply(ready.apply);
      if (this.#isInstalling) return;
      if (ready.apply.length > 0 && !isTurnOver) isTurnOver = this.#applySome();
    }
    if (this.#parts.isApplying()) this.#goOnLater();
    this.#parts.reads.applied(this.#parts.appliedIndex());
    if (this.#parts.canReachLeader() && this.#parts.reads.isRoundOver()) this.schedule();
  }

  #append(work: NonNullable<Ready["append"]>): void {
    const { log, wal } = this.#parts;
    this.#parts.appending(work.entries);
    if (work.snapshot !== undefined) {
      this.#install(work);
      return;
    }
    if (work.entries.length > 0) log.append(work.entries);
    const last = work.entries.at(-1);
    const isDurable = !work.mustSync && wal.isIdle();
    wal.append(work, () => {
      if (!isDurable) for (const message of work.sendAfter) this.#route(message);
      if (last !== undefined) {
        this.post({ kind: "persisted", index: last.index, term: last.term });
      }
    });
    // Everything before it is durable and it needs no sync itself: nothing to wait for.
    if (isDurable) for (const message of work.sendAfter) this.#route(message);
  }

  /** The new state takes the place of the old one before anything else goes on. */
  #install(work: NonNullable<Ready["append"]>): void {
    const meta = work.snapshot as NonNullable<typeof work.snapshot>;
    this.#isInstalling = true;
    this.#parts.wal.append(work, () => {
      if (this.#isStopped) return;
      this.#parts.log.restore(meta);
      if (work.entries.length > 0) this.#parts.log.append(work.entries);
      this.#parts.installSnapshot(meta.index, () => {
        this.#isInstalling = false;
        for (const message of work.sendAfter) this.#route(message);
        this.post({ kind: "snapshotInstalled", index: meta.index });
        const last = work.entries.at(-1);
        if (last !== undefined) {
          this.post({ kind: "persisted", index: last.index, term: last.term });
        }
      });
    });
  }

  #goOnLater(): void {
    const { clock, applyPauseMs } = this.#parts;
    if (applyPauseMs === 0) this.schedule();
    else clock.after(applyPauseMs, () => this.schedule());
  }

  /** True: enough for this turn. */
  #applySome(): boolean {
    const { last } = this.#parts.applySome();
    if (last > 0) this.#parts.raft.step({ kind: "applied", index: last });
    return this.#parts.isApplying();
  }

  #route(message: Message): void {
    if (message.to === this.#id) this.post({ kind: "received", message });
    else this.#parts.send(message);
  }
}
