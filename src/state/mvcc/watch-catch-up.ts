/**
 * Catch-up: one pass over a window of history serves all watchers that need it.
 *
 * Passes alternate between the furthest behind, whose sweep gathers everyone it meets on its way
 * to the present, and the nearest to the present, who should not wait for the long way of others;
 * so history is read at most twice per 512 watchers, wherever they stand. A pass reads at most
 * `revisionsMax` revisions, fewer when they are big, and hands events over whenever it has
 * collected `bytesMax` bytes or `collectedMax` references; only one revision may exceed that.
 */
import type { KvReader, RevisionEvents } from "../types.js";
import { EventView, isWanted } from "./watch-event.js";
import { keyText, WatchIndex } from "./watch-index.js";
import type { Watcher } from "./watch-stream.js";

export interface CatchUpLimits {
  /** Watchers in one pass. */
  readonly watchersMax: number;
  /** Revisions in one pass. */
  readonly revisionsMax: number;
  /** Of events, wanted or not: shortens the next pass, and hands over what is collected. */
  readonly bytesMax: number;
  /** Collected events over all watchers of the pass. */
  readonly collectedMax: number;
}

/** etcd's batch sizes; the last two are this project's. */
export const defaultCatchUpLimits: CatchUpLimits = {
  watchersMax: 512,
  revisionsMax: 1000,
  bytesMax: 1024 * 1024,
  collectedMax: 16_384,
};

/** Takes a watcher's `pending` to its stream; false ends its part in the pass. */
type HandOver = (watcher: Watcher) => boolean;

/** One run's watchers: those that its events still go to. */
interface Pass {
  readonly watchers: Set<Watcher>;
  readonly index: WatchIndex<Watcher>;
  touched: Watcher[];
  /** Of all events seen in the pass. */
  bytes: number;
  /** Since the last hand-over. */
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

  constructor(kv: KvReader, limits: CatchUpLimits, handOver: HandOver) {
    this.#kv = kv;
    this.#limits = limits;
    this.#handOver = handOver;
    this.#window = Math.min(100, limits.revisionsMax);
  }

  /**
   * One pass for some of the queued watchers, none of which may want compacted history. Returns
   * those that were told all that the pass found for them, their `next` moved past it; about the
   * others `handOver` has decided.
   */
  run(queue: ReadonlySet<Watcher>): ReadonlySet<Watcher> {
    const { from, watchers } = this.#choose(queue);
    const index = new WatchIndex<Watcher>();
    for (const watcher of watchers) index.add(watcher);
    const pass = { watchers, index, touched: [], bytes: 0, collectedBytes: 0, collectedCount: 0 };
    const to = this.#kv.revision() + 1;
    const range = { from, to, revisionsMax: this.#window };
    const reached = from < to ? this.#kv.history(range, (events) => this.#visit(pass, events)) : to;
    this.#handOverAll(pass);
    for (const watcher of watchers) watcher.next = Math.max(watcher.next, reached);
    this.#adapt(pass.bytes);
    return watchers;
  }

  /** The furthest behind or the nearest, and all whose next revision lies in the same window. */
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

  #visit(pass: Pass, { revision, events }: RevisionEvents): void {
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
    const { bytesMax, collectedMax } = this.#limits;
    const isMuch = pass.collectedBytes >= bytesMax || pass.collectedCount >= collectedMax;
    if (isMuch) this.#handOverAll(pass);
  }

  #handOverAll(pass: Pass): void {
    for (const watcher of pass.touched) {
      if (this.#handOver(watcher)) continue;
      // Its stream may take more again before this pass ends: that must not leave a gap.
      pass.watchers.delete(watcher);
      pass.index.remove(watcher);
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
