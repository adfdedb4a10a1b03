/**
 * Applies committed entries to the state machine, in order, each exactly once. It tells the
 * watchers first, then the proposer. An entry that changes many rows takes several turns; later
 * entries wait for it here, and nobody sees its effect before it is complete. If another state
 * replaces the current one meanwhile, the partial work is dropped and the entry starts anew.
 */

import { DamageError } from "../../base/errors.js";
import { invariant } from "../../base/invariant.js";
import type { Clock } from "../../platform/clock.js";
import { type ConfChange, type ConfState, type Entry, EntryType } from "../../raft/types.js";
import type { ApplyWay, BeginApply, Machine, OpenEntry } from "../../state/apply.js";
import type { Applied } from "../../state/types.js";
import type { WatchHub } from "../../state/watch/hub.js";
import type { ApplyLimits } from "../config.js";
import type { Proposals } from "./proposals.js";

/** More small entries than this in one turn would starve timers and sockets. */
const entriesPerTurnMax = 2_000;
/**
 * Small entries may run for this many turns' time: answering many at once costs less than pausing.
 */
const smallTurns = 10;

export interface ApplierParts {
  readonly clock: Clock;
  readonly selfId: bigint;
  readonly proposals: Pick<Proposals, "isWaiting" | "settle">;
  readonly limits: ApplyLimits;
  readonly begin: BeginApply;
  machine(): Machine;
  watch(): WatchHub;
  applyConfChange(change: ConfChange | undefined): ConfState;
  /** Called after each applied entry: leases, members or alarms may have changed. */
  applied(applied: Applied): void;
  /** Called after each applied entry with the milliseconds since its application began. */
  took(ms: number, entry: Entry): void;
  /**
   * Reports a damaged state. Returns true if another state has taken its place, at the same index.
   */
  damaged(error: DamageError): boolean;
}

/** What one turn has done. */
export interface AppliedSome {
  readonly entries: number;
  /** Index of the last entry applied; 0: none. */
  readonly last: number;
}

export class Applier {
  readonly #parts: ApplierParts;
  readonly #way: ApplyWay;
  #queue: Entry[] = [];
  /** How many entries of the queue are done. */
  #done = 0;
  /** The next entry of the queue, if it is partly applied. */
  #open: { readonly machine: Machine; readonly entry: OpenEntry } | undefined;
  /** When the application of the open entry began, in milliseconds of the clock. */
  #openSinceMs: number | undefined;

  constructor(parts: ApplierParts) {
    this.#parts = parts;
    this.#way = {
      units: parts.limits.sliceUnits,
      eventsMax: parts.limits.eventsMax,
      isAnswerWanted: ({ proposer, requestId }) =>
        proposer === parts.selfId && parts.proposals.isWaiting(requestId),
    };
  }

  add(entries: readonly Entry[]): void {
    for (const entry of entries) this.#queue.push(entry);
  }

  /** True while entries wait to be applied. */
  isBusy(): boolean {
    return this.#done < this.#queue.length;
  }

  /** Applies waiting entries until the turn has taken long enough. */
  run(): AppliedSome {
    const { clock, limits } = this.#parts;
    const startMs = clock.now();
    let atMs = startMs;
    let entries = 0;
    let last = 0;
    while (this.#done < this.#queue.length && entries < entriesPerTurnMax) {
      const entry = this.#queue[this.#done] as Entry;
      // After a restart raft hands out entries from the backend's index on. Older ones are skipped.
      if (entry.index > this.#parts.machine().appliedIndex) {
        const applied = this.#applyOne(entry, startMs + limits.turnMs);
        const sinceMs = this.#openSinceMs ?? atMs;
        this.#openSinceMs = applied === undefined ? sinceMs : undefined;
        if (applied === undefined) break;
        this.#tell(entry, applied);
        atMs = clock.now();
        this.#parts.took(atMs - sinceMs, entry);
      }
      this.#done++;
      entries++;
      last = entry.index;
      if (atMs - startMs > smallTurns * limits.turnMs) break;
    }
    if (!this.isBusy()) {
      this.#queue = [];
      this.#done = 0;
    }
    return { entries, last };
  }

  #tell(entry: Entry, applied: Applied): void {
    invariant(
      applied.index === entry.index,
      "another entry was applied than was asked for",
      () => ({
        asked: entry.index,
        applied: applied.index,
      }),
    );
    if (entry.type !== EntryType.normal) this.#parts.applyConfChange(applied.conf?.change);
    if (applied.events !== undefined) this.#parts.watch().notify(applied.events);
    this.#parts.applied(applied);
    if (applied.requestId !== 0 && applied.proposer === this.#parts.selfId) {
      this.#parts.proposals.settle(applied.requestId, applied);
    }
  }

  /** Applies the next entry, or a part of it. Undefined: the entry goes on in the next turn. */
  #applyOne(entry: Entry, untilMs: number): Applied | undefined {
    try {
      return this.#goOn(entry, untilMs);
    } catch (error) {
      if (!(error instanceof DamageError) || !this.#parts.damaged(error)) throw error;
      return this.#goOn(entry, untilMs);
    }
  }

  #goOn(entry: Entry, untilMs: number): Applied | undefined {
    const { begin } = this.#parts;
    const machine = this.#parts.machine();
    let steps = this.#open?.machine === machine ? this.#open.entry : undefined;
    this.#open = undefined;
    // Each turn does at least one slice, so that every entry comes to an end.
    do {
      const next =
        steps === undefined ? begin(machine, entry, this.#way) : steps.step(this.#way.units);
      if (next !== undefined && !("step" in next)) return next;
      steps = next ?? steps;
    } while (this.#parts.clock.now() < untilMs);
    if (steps !== undefined) this.#open = { machine, entry: steps };
    return undefined;
  }
}
