/**
 * The one place where consensus meets I/O. Events gather in an inbox. A turn runs after the events
 * that are already due. It steps all events, then hands out raft's results: one WAL batch, one
 * message per destination and kind, one pass of apply. The turn is the only batching; no timer
 * waits to fill a batch. A pass of apply that is not done goes on in the next turn, beside other
 * work. Nothing here awaits, so the simulator decides every order.
 */
import { invariant } from "../../base/invariant.js";
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
import type { MemoryLogStorage } from "../../wal/memory-log-storage.js";
import type { Wal } from "../../wal/wal.js";
import type { AppliedSome } from "./applier.js";
import type { Proposals, QueuedEntry } from "./proposals.js";
import type { ReadBarrier } from "./read-barrier.js";

export interface DriverParts {
  readonly clock: Clock;
  readonly raft: RaftNode;
  readonly log: MemoryLogStorage;
  readonly wal: Wal;
  readonly proposals: Pick<Proposals, "hasQueued" | "putBack" | "takeQueued">;
  readonly reads: Pick<ReadBarrier, "applied" | "confirm" | "isRoundOver" | "nextAsk">;
  /** Called before entries are appended, and so acknowledged. @throws to stop the member */
  appending(entries: readonly Entry[]): void;
  /** Queues entries to be applied behind those that wait already. */
  apply(entries: readonly Entry[]): void;
  /** Applies waiting entries for one turn, and answers those who wait for them. */
  applySome(): AppliedSome;
  /** Milliseconds between two turns of one entry. 0: only events that are due run in between. */
  readonly applyPauseMs: number;
  /** True while entries wait to be applied. */
  isApplying(): boolean;
  /** The last index that was applied. */
  appliedIndex(): number;
  send(message: Message): void;
  /** False while messages to the leader would be lost. Proposals and reads wait then. */
  canReachLeader(): boolean;
  softStateChanged(state: NonNullable<Ready["softState"]>): void;
  /** Reports that a leader's log lacks entries that are committed, here or at a follower. */
  contradicted(found: Contradiction): void;
  /** Installs a snapshot whose content was fetched and verified before raft heard of it. */
  installSnapshot(index: number, done: () => void): void;
  /** Reports a bug or a failed disk: the member must stop. */
  failed(error: Error): void;
}

/** Milliseconds in which a turn answers readers. */
const readsMs = 3;

export class Driver {
  readonly #parts: DriverParts;
  readonly #id: bigint;
  #inbox: RaftEvent[] = [];
  #isScheduled = false;
  #isStopped = false;
  /**
   * True while a snapshot is being installed. Later work waits, because it builds on the new state.
   */
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

  /** Asks for a turn, because the proposals, the reads or the inbox have work. */
  schedule(): void {
    if (this.#isScheduled || this.#isStopped) return;
    this.#isScheduled = true;
    this.#parts.clock.defer(this.#turn);
  }

  stop(): void {
    this.#isStopped = true;
  }

  isInstalling(): boolean {
    return this.#isInstalling;
  }

  /** True while raft may still decide to install a snapshot that it was offered. */
  isUndecided(): boolean {
    return this.#isInstalling || this.#inbox.length > 0;
  }

  readonly #turn = (): void => {
    this.#isScheduled = false;
    if (this.#isStopped || this.#isInstalling) return;
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
   * Picks the queued entries that may be proposed now. The leader's own decisions come before
   * requests of clients, and only if they are still right: entries at the end of the log may have
   * changed what they were about. A paused leader decides before it hears of its successor; such a
   * decision is never forwarded.
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
      // If the log failed at once, the member has ended and its state is closed.
      if (this.#isStopped) return;
      if (ready.apply.length > 0) this.#parts.apply(ready.apply);
      if (this.#isInstalling) return;
      if (ready.apply.length > 0 && !isTurnOver) isTurnOver = this.#applySome();
    }
    if (this.#parts.isApplying()) this.#goOnLater();
    const untilMs = this.#parts.clock.now() + readsMs;
    const isTimeOver = (): boolean => this.#parts.clock.now() >= untilMs;
    if (!this.#parts.reads.applied(this.#parts.appliedIndex(), isTimeOver)) this.schedule();
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
    // All earlier writes are durable and this one needs no sync, so the messages can go at once.
    if (isDurable) for (const message of work.sendAfter) this.#route(message);
  }

  /** Installs the snapshot: the new state replaces the old one before any other work goes on. */
  #install(work: NonNullable<Ready["append"]>): void {
    const meta = work.snapshot as NonNullable<typeof work.snapshot>;
    invariant(!this.#isInstalling, "two snapshots are installed at a time");
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

  /** Applies entries for one turn. Returns true if the turn has done enough. */
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
