/**
 * One stream's watchers and what is held back for it while its transport is full.
 *
 * Held back are only answers without events ("created", "canceled"), at most `heldNoticesMax`;
 * a watcher that misses events remembers nothing but its next revision. Between a full transport
 * and the next `resume` nothing is delivered but "ended". The hub moves watchers between their
 * states; this file only keeps each stream's order: held answers first, then events.
 */
import type { EndCause, WatchedEvent, WatchNotice } from "./watch-types.js";

/** Beyond this the client floods us with requests and does not read: its stream ends. */
export const heldNoticesMax = 65_536;

/**
 * "synced": in the hub's index, gets new events at once. "queued": catches up from the store.
 * "parked": must catch up, but its stream cannot take more. "gone": canceled or closed.
 */
export type WatcherState = "synced" | "queued" | "parked" | "gone";

export interface Watcher {
  readonly id: bigint;
  readonly stream: StreamState;
  readonly start: string;
  readonly end: string | undefined;
  readonly isSingleKey: boolean;
  /** As asked for; 0: from now. */
  readonly startRevision: number;
  readonly noPut: boolean;
  readonly noDelete: boolean;
  readonly prevKv: boolean;
  readonly progressNotify: boolean;
  state: WatcherState;
  /** Every event below this revision was delivered or is not wanted. */
  next: number;
  /** Since the last progress tick. */
  sawEvents: boolean;
  /** Collected and not yet delivered; empty between the hub's calls. */
  pending: WatchedEvent[];
  /** Revision of the first of `pending`. */
  pendingFrom: number;
}

export class StreamState {
  readonly watchers = new Map<bigint, Watcher>();
  /** Parked watchers in the order in which they fell behind. */
  readonly parked = new Set<Watcher>();
  /** Wants a progress answer as soon as the transport takes it. */
  isProgressAsked = false;
  isClosed = false;
  isFull = false;
  #held: WatchNotice[] = [];
  #nextId = 0n;
  readonly needsLeader: boolean;
  readonly #deliver: (notice: WatchNotice) => boolean;

  constructor(deliver: (notice: WatchNotice) => boolean, needsLeader: boolean) {
    this.#deliver = deliver;
    this.needsLeader = needsLeader;
  }

  get heldCount(): number {
    return this.#held.length;
  }

  /** Ids are never given twice, also after a cancel. */
  freeId(): bigint {
    while (this.watchers.has(this.#nextId)) this.#nextId += 1n;
    this.#nextId += 1n;
    return this.#nextId - 1n;
  }

  /** An answer without events: held back if need be. False: too many are. */
  answer(notice: WatchNotice): boolean {
    if (this.isFull || this.#held.length > 0) {
      this.#held.push(notice);
      return this.#held.length <= heldNoticesMax;
    }
    this.send(notice);
    return true;
  }

  /** Only while not full. */
  send(notice: WatchNotice): void {
    if (!this.#deliver(notice)) this.isFull = true;
  }

  /** The transport can take more: delivers what was held until it is full again. */
  drain(): void {
    this.isFull = false;
    const held = this.#held;
    let sent = 0;
    while (sent < held.length && !this.isFull && !this.isClosed) {
      this.send(held[sent] as WatchNotice);
      sent += 1;
    }
    if (sent > 0) this.#held = held.slice(sent);
  }

  /** No notice leaves after this one. */
  end(cause: EndCause): void {
    this.#held = [];
    this.#deliver({ kind: "ended", cause });
  }
}
