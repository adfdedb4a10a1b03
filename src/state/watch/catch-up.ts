/**
 * Catch-up: one pass over a window of history serves all watchers that need it.
 *
 * Two kinds of passes alternate. One starts at the watcher furthest behind and takes along every
 * watcher on its way to the present. The other starts at the watcher nearest to the present, which
 * should not wait until the others have come so far. So history is read at most twice per 512
 * watchers, wherever they stand.
 *
 * A pass reads at most `revisionsMax` revisions, fewer when they are big. It hands events over
 * whenever it has collected `bytesMax` bytes or `collectedMax` references; only a single revision
 * may exceed that. One run reads at most `eventsMax` changes. A pass with a larger revision takes
 * several runs, and the collected events stay with their watchers until that revision is whole.
 */
import type { HistoryPlace, KvReader, RevisionEvents } from "../types.js";
import { EventView, isWanted } from "./event.js";
import { keyText, WatchIndex } from "./index.js";
import type { Watcher } from "./stream.js";

export interface CatchUpLimits {
  /** The most watchers in one pass. */
  readonly watchersMax: number;
  /** The most revisions in one pass. */
  readonly revisionsMax: number;
  /**
   * Bytes of events, wanted or not. With more, the pass hands over what it has, and the next pass
   * is shorter.
   */
  readonly bytesMax: number;
  /** The most collected events over all watchers of the pass. */
  readonly collectedMax: number;
  /** The most changes read in one run. */
  readonly eventsMax: number;
}

/** Batch sizes. The first two are etcd's; the last three are this project's. */
export const defaultCatchUpLimits: CatchUpLimits = {
  watchersMax: 512,
  revisionsMax: 1000,
  bytesMax: 1024 * 1024,
  collectedMax: 16_384,
  eventsMax: 1_000,
};

const noWatchers: ReadonlySet<Watcher> = new Set();

/** Sends a watcher's `pending` to its stream. False ends the watcher's part in the pass. */
type HandOver = (watcher: Watcher) => boolean;

/** One pass. `watchers` are those that still get its events. */
interface Pass {
  readonly watchers: Set<Watcher>;
  readonly index: WatchIndex<Watcher>;
  touched: Watcher[];
  /** Where the pass continues. */
  next: HistoryPlace;
  /** Revisions that the pass may still read. */
  left: number;
  /** The revision that was read last, maybe not to its end. */
  revision: number;
  /** Bytes of all events seen in the pass. */
  bytes: number;
  /** Bytes collected since the last hand-over. */
  collectedBytes: number;
  collectedCount: number;
}

export class CatchUp {
  readonly #kv: KvReader;
  readonly #limits: CatchUpLimits;
  readonly #handOver: HandOver;
  readonly #hits: Watcher[] = [];
  #window: number;
  #isSweep = false;
  /** The pass that ended in the middle of a revision. */
  #open: Pass | undefined;

  constructor(kv: KvReader, limits: CatchUpLimits, handOver: HandOver) {
    this.#kv = kv;
    this.#limits = limits;
    this.#handOver = handOver;
    this.#window = Math.min(100, limits.revisionsMax);
  }

  /**
   * Runs one pass, or a part of one, for some of the queued watchers. None of them may want
   * compacted history. Returns the watchers that got everything that the pass found for them; their
   * `next` is moved past it. `handOver` has decided about the others.
   */
  run(queue: ReadonlySet<Watcher>): ReadonlySet<Watcher> {
    const pass = this.#goOn() ?? this.#begin(queue);
    const to = this.#kv.revision() + 1;
    const { revision: from, sub: fromSub } = pass.next;
    const { eventsMax } = this.#limits;
    // A revision that was begun before is counted already.
    const revisionsMax = pass.left + (fromSub > 0 ? 1 : 0);
    const options = { from, fromSub, to, revisionsMax, eventsMax };
    if (from < to) pass.next = this.#kv.history(options, (events) => this.#visit(pass, events));
    else pass.next = { revision: to, sub: 0 };
    if (pass.next.sub > 0) {
      this.#open = pass;
      // Revisions from here, or from the first collected event, are not handed over yet.
      for (const watcher of pass.watchers) {
        const told = watcher.pending.length > 0 ? watcher.pendingFrom : pass.next.revision;
        watcher.next = Math.max(watcher.next, told);
      }
      return noWatchers;
    }
    this.#handOverAll(pass);
    for (const watcher of pass.watchers) {
      watcher.next = Math.max(watcher.next, pass.next.revision);
    }
    this.#adapt(pass.bytes);
    return pass.watchers;
  }

  /** The open pass, if any watcher still waits for it. */
  #goOn(): Pass | undefined {
    const pass = this.#open;
    this.#open = undefined;
    if (pass === undefined) return undefined;
    for (const watcher of pass.watchers) if (watcher.state !== "queued") leave(pass, watcher);
    return pass.watchers.size > 0 ? pass : undefined;
  }

  #begin(queue: ReadonlySet<Watcher>): Pass {
    const { from, watchers } = this.#choose(queue);
    const index = new WatchIndex<Watcher>();
    for (const watcher of watchers) index.add(watcher);
    return {
      ...{ watchers, index, touched: [], next: { revision: from, sub: 0 }, left: this.#window },
      ...{ revision: 0, bytes: 0, collectedBytes: 0, collectedCount: 0 },
    };
  }

  /**
   * Chooses the watcher furthest behind or the nearest one, and all whose next revision lies in the
   * same window.
   */
  #choose(queue: ReadonlySet<Watcher>): { from: number; watchers: Set<Watcher> } {
    this.#isSweep = !this.#isSweep;
    let from = this.#isSweep ? Number.POSITIVE_INFINITY : 0;
    for (const { next } of queue)
      from = this.#isSweep ? Math.min(from, next) : Math.max(from, next);
    const watchers = new Set<Watcher>();
    for (const watcher of queue) {
      if (watcher.next < from || watcher.next >= from + this.#window) continue;
      watchers.add(watcher);
      if (watchers.size === this.#limits.watchersMax) break;
    }
    return { from, watchers };
  }

  /** Takes some or all events of one revision. Earlier events of that revision have come before. */
  #visit(pass: Pass, { revision, events }: RevisionEvents): void {
    if (revision !== pass.revision) {
      const { bytesMax, collectedMax } = this.#limits;
      const isMuch = pass.collectedBytes >= bytesMax || pass.collectedCount >= collectedMax;
      if (isMuch) this.#handOverAll(pass);
      pass.revision = revision;
      pass.left--;
    }
    for (const event of events) {
      pass.bytes += event.kv.length;
      const hits = this.#hits;
      hits.length = 0;
      pass.index.collect(keyText(event.key), hits);
      if (hits.length === 0) continue;
      const view = new EventView(this.#kv, event, revision);
      pass.collectedBytes += event.kv.length;
      for (const watcher of hits) {
        if (revision < watcher.next || !isWanted(watcher, event)) continue;
        if (watcher.pending.length === 0) {
          watcher.pendingFrom = revision;
          pass.touched.push(watcher);
        }
        watcher.pending.push(view.listFor(watcher)[0]);
        pass.collectedCount += 1;
      }
    }
  }

  #handOverAll(pass: Pass): void {
    for (const watcher of pass.touched) {
      if (this.#handOver(watcher)) continue;
      // The stream may take events again before this pass ends. If the watcher stayed in the pass,
      // it would miss events.
      leave(pass, watcher);
    }
    pass.touched = [];
    pass.collectedBytes = 0;
    pass.collectedCount = 0;
  }

  /** Big revisions make the next pass shorter, small ones longer. */
  #adapt(passBytes: number): void {
    const { bytesMax, revisionsMax } = this.#limits;
    const window =
      passBytes > bytesMax ? Math.floor((this.#window * bytesMax) / passBytes) : this.#window * 2;
    this.#window = Math.min(revisionsMax, Math.max(1, window));
  }
}

function leave(pass: Pass, watcher: Watcher): void {
  pass.watchers.delete(watcher);
  pass.index.remove(watcher);
}
