/**
 * Fans changes of the key space out to watchers (etcd's watchable store, without its threads).
 *
 * A watcher is either in step ("synced": it gets new events in the turn that applied them) or it
 * catches up from the store. The hub sends nothing to a stream whose transport is full. Each of its
 * watchers that misses an event keeps only its next revision, so a slow client costs no memory per
 * event and delays nobody. Between calls the hub holds no events, except those of one large
 * revision that is being collected for catch-up; the amount that one call holds is bounded
 * (catch-up.ts). If a revision's events were too many to be handed out, its watchers read
 * them from the store, too. Each watcher gets whole revisions, ascending, without gap or duplicate.
 *
 * Nobody may ask the hub anything between an apply and the `notify` of its events.
 */
import { invariant } from "../../base/invariant.js";
import type { KvReader, RevisionEvents } from "../types.js";
import { CatchUp, type CatchUpLimits, defaultCatchUpLimits } from "./catch-up.js";
import { EventView, isWanted } from "./event.js";
import { keyText, WatchIndex, type Watching } from "./index.js";
import { StreamState, type Watcher } from "./stream.js";
import type {
  EndCause,
  RefusalReason,
  WatchedEvent,
  WatchHub,
  WatchNotice,
  WatchSpec,
  WatchStream,
} from "./types.js";

export type * from "./types.js";

export interface WatchHubOptions {
  /** Called when a call of `catchUp` has work to do. It must not call back into the hub. */
  readonly onBehind?: () => void;
  readonly limits?: Partial<CatchUpLimits>;
}

/** `kv` is the applied state. WatchHub says what the caller must do. */
export function createWatchHub(kv: KvReader, options: WatchHubOptions = {}): WatchHub {
  return new Hub(kv, options);
}

class Hub implements WatchHub {
  readonly #kv: KvReader;
  readonly #onBehind: () => void;
  readonly #streams = new Set<StreamState>();
  readonly #synced = new WatchIndex<Watcher>();
  readonly #queue = new Set<Watcher>();
  readonly #catchUp: CatchUp;
  #notified = 0;

  constructor(kv: KvReader, options: WatchHubOptions) {
    this.#kv = kv;
    this.#onBehind = options.onBehind ?? (() => {});
    const limits = { ...defaultCatchUpLimits, ...options.limits };
    this.#catchUp = new CatchUp(kv, limits, (watcher) =>
      this.#handOver(watcher, this.#kv.revision()),
    );
  }

  open(deliver: (notice: WatchNotice) => boolean, needsLeader = false): WatchStream {
    const stream = new StreamState(deliver, needsLeader);
    this.#streams.add(stream);
    return {
      create: (spec) => this.#create(stream, spec),
      cancel: (watchId) => this.#cancel(stream, watchId),
      requestProgress: () => this.#requestProgress(stream),
      resume: () => this.#resume(stream),
      close: () => this.#close(stream),
    };
  }

  notify({ revision, events, span }: RevisionEvents): void {
    invariant(revision > this.#notified, "events are notified out of order", () => ({
      revision,
      notified: this.#notified,
    }));
    this.#notified = revision;
    if (this.#synced.size === 0) return;
    if (span !== undefined) {
      this.#readLater(span, revision);
      return;
    }
    const touched: Watcher[] = [];
    const hits: Watcher[] = [];
    for (const event of events) {
      hits.length = 0;
      this.#synced.collect(keyText(event.key), hits);
      if (hits.length === 0) continue;
      const view = new EventView(this.#kv, event, revision);
      for (const watcher of hits) {
        // The watcher starts in the future, or was created after this revision was applied.
        if (revision < watcher.next || !isWanted(watcher, event)) continue;
        // A full stream takes no event, so none is collected for it and no previous value is read.
        if (watcher.stream.isFull) {
          this.#fallBehind(watcher, revision);
        } else if (events.length === 1) {
          this.#sendEvents(watcher, revision, view.listFor(watcher));
        } else {
          if (watcher.pending.length === 0) {
            watcher.pendingFrom = revision;
            touched.push(watcher);
          }
          watcher.pending.push(view.listFor(watcher)[0]);
        }
      }
    }
    for (const watcher of touched) this.#handOver(watcher, revision);
  }

  catchUp(): boolean {
    this.#cancelCompacted();
    if (this.#queue.size === 0) return false;
    const revision = this.#kv.revision();
    for (const watcher of this.#catchUp.run(this.#queue)) {
      if (watcher.state !== "queued" || watcher.next <= revision) continue;
      this.#queue.delete(watcher);
      watcher.state = "synced";
      this.#synced.add(watcher);
    }
    return this.#queue.size > 0;
  }

  tickProgress(): void {
    const revision = this.#kv.revision();
    for (const stream of this.#streams) {
      for (const watcher of stream.watchers.values()) {
        if (!watcher.progressNotify) continue;
        const isDue = !watcher.sawEvents && !stream.isFull && isCurrent(watcher, revision);
        watcher.sawEvents = false;
        if (isDue) stream.send({ kind: "progress", watchId: watcher.id, revision });
      }
    }
  }

  stats() {
    let watchers = 0;
    let slow = this.#queue.size;
    let pendingEvents = 0;
    for (const stream of this.#streams) {
      watchers += stream.watchers.size;
      slow += stream.parked.size;
      pendingEvents += stream.heldCount;
    }
    return { streams: this.#streams.size, watchers, slow, pendingEvents };
  }

  leaderLost(): void {
    for (const stream of [...this.#streams]) {
      if (stream.needsLeader) this.#end(stream, "noLeader");
    }
  }

  endBehind(): void {
    const streams = new Set([...this.#queue].map(({ stream }) => stream));
    for (const stream of streams) this.#end(stream, "failed");
  }

  closeAll(): void {
    for (const stream of [...this.#streams]) this.#end(stream, "stopped");
    // The next store may be another one, whose revisions may start anywhere.
    this.#notified = 0;
  }

  #create(stream: StreamState, spec: WatchSpec): RefusalReason | undefined {
    if (stream.isClosed) return undefined;
    const revision = this.#kv.revision();
    const interval = intervalOf(spec);
    const reason = refusalOf(stream, spec, interval);
    if (reason !== undefined) {
      this.#answer(stream, { kind: "refused", reason, revision });
      return reason;
    }
    const { startRevision, noPut, noDelete, prevKv, progressNotify } = spec;
    const watcher: Watcher = {
      id: spec.watchId === 0n ? stream.freeId() : spec.watchId,
      stream,
      ...interval,
      startRevision,
      noPut,
      noDelete,
      prevKv,
      progressNotify,
      state: "synced",
      next: startRevision === 0 ? revision + 1 : startRevision,
      sawEvents: false,
      pending: [],
      pendingFrom: 0,
    };
    stream.watchers.set(watcher.id, watcher);
    if (watcher.next > revision) this.#synced.add(watcher);
    else this.#wait(watcher);
    this.#answer(stream, { kind: "created", watchId: watcher.id, revision });
    return undefined;
  }

  #cancel(stream: StreamState, watchId: bigint): boolean {
    const watcher = stream.watchers.get(watchId);
    if (watcher === undefined) return false;
    this.#drop(watcher);
    const revision = this.#kv.revision();
    this.#answer(stream, { kind: "canceled", watchId, compactRevision: 0, revision });
    return true;
  }

  #requestProgress(stream: StreamState): void {
    if (stream.isClosed) return;
    // One answer is enough for all requests made while nothing can be sent.
    stream.isProgressAsked = stream.isFull;
    if (stream.isFull || stream.watchers.size === 0) return;
    const revision = this.#kv.revision();
    for (const watcher of stream.watchers.values()) if (!isCurrent(watcher, revision)) return;
    stream.send({ kind: "progress", watchId: -1n, revision });
  }

  #resume(stream: StreamState): void {
    if (stream.isClosed) return;
    stream.drain();
    if (stream.isFull || stream.isClosed) return;
    if (stream.isProgressAsked) this.#requestProgress(stream);
    const parked = [...stream.parked];
    stream.parked.clear();
    for (const watcher of parked) this.#wait(watcher);
  }

  #close(stream: StreamState): void {
    stream.isClosed = true;
    this.#streams.delete(stream);
    for (const watcher of stream.watchers.values()) this.#drop(watcher);
  }

  #end(stream: StreamState, cause: EndCause): void {
    this.#close(stream);
    stream.end(cause);
  }

  #answer(stream: StreamState, notice: WatchNotice): void {
    if (!stream.answer(notice)) this.#end(stream, "overloaded");
  }

  /** Cancels watchers whose history is gone. The notice names the oldest revision that is left. */
  #cancelCompacted(): void {
    const compactRevision = this.#kv.compactRevision();
    for (const watcher of this.#queue) {
      if (watcher.next >= compactRevision) continue;
      this.#drop(watcher);
      const { id: watchId, stream } = watcher;
      this.#answer(stream, { kind: "canceled", watchId, compactRevision, revision: 0 });
    }
  }

  /**
   * Sends `pending` and returns true. Returns false if the watcher must read it again, or is gone.
   */
  #handOver(watcher: Watcher, revision: number): boolean {
    const events = watcher.pending;
    watcher.pending = [];
    if (watcher.state === "gone") return false;
    if (watcher.stream.isFull) {
      this.#fallBehind(watcher, watcher.pendingFrom);
      return false;
    }
    this.#sendEvents(watcher, revision, events);
    return true;
  }

  #sendEvents(watcher: Watcher, revision: number, events: readonly WatchedEvent[]): void {
    if (watcher.state === "gone") return;
    watcher.sawEvents = true;
    watcher.stream.send({ kind: "events", watchId: watcher.id, revision, events });
  }

  /**
   * Lets a watcher catch up: it has everything below `next` and will read the rest from the store.
   */
  #fallBehind(watcher: Watcher, next: number): void {
    if (watcher.state === "gone") return;
    if (watcher.state === "synced") this.#synced.remove(watcher);
    this.#queue.delete(watcher);
    watcher.next = next;
    this.#wait(watcher);
  }

  /** Lets all watchers that may want one of these events read them from the store. */
  #readLater(span: NonNullable<RevisionEvents["span"]>, revision: number): void {
    for (const { watchers } of this.#streams) {
      for (const watcher of watchers.values()) {
        if (watcher.state !== "synced" || revision < watcher.next) continue;
        if (mayLieIn(span, watcher)) this.#fallBehind(watcher, revision);
      }
    }
  }

  /** Puts the watcher into the queue, or aside while its stream is full. */
  #wait(watcher: Watcher): void {
    if (watcher.stream.isFull) {
      watcher.state = "parked";
      watcher.stream.parked.add(watcher);
      return;
    }
    watcher.state = "queued";
    this.#queue.add(watcher);
    if (this.#queue.size === 1) this.#onBehind();
  }

  #drop(watcher: Watcher): void {
    if (watcher.state === "synced") this.#synced.remove(watcher);
    this.#queue.delete(watcher);
    watcher.stream.parked.delete(watcher);
    watcher.stream.watchers.delete(watcher.id);
    watcher.state = "gone";
    watcher.pending = [];
  }
}

function intervalOf({ key, rangeEnd }: WatchSpec): Watching {
  const start = key.length === 0 ? "\0" : keyText(key);
  const isToTheEnd = rangeEnd.length === 1 && rangeEnd[0] === 0;
  const end = rangeEnd.length === 0 || isToTheEnd ? undefined : keyText(rangeEnd);
  return { start, end, isSingleKey: rangeEnd.length === 0 };
}

function mayLieIn({ from, to }: NonNullable<RevisionEvents["span"]>, watched: Watching): boolean {
  const { start, end, isSingleKey } = watched;
  if (isSingleKey) return start >= from && start < to;
  return start < to && (end === undefined || end > from);
}

function refusalOf(
  stream: StreamState,
  spec: WatchSpec,
  { start, end }: Watching,
): RefusalReason | undefined {
  if (spec.startRevision < 0) return "badRevision";
  if (end !== undefined && start >= end) return "emptyRange";
  if (spec.watchId !== 0n && stream.watchers.has(spec.watchId)) return "duplicateId";
  return undefined;
}

/** True if no event at or below `revision` can come any more. A progress notice promises that. */
function isCurrent(watcher: Watcher, revision: number): boolean {
  return watcher.state === "synced" && revision >= watcher.startRevision;
}
