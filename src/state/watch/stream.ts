/**
 * One stream's watchers, and the answers held back while its transport is full.
 *
 * Only answers without events ("created", "canceled") are held back, at most `heldNoticesMax`. A
 * watcher that misses events keeps nothing but its next revision. Between a full transport and the
 * next `resume` only "ended" is delivered. The hub moves watchers between their states; this file
 * only keeps each stream's order: held answers first, then events.
 */
import type { EndCause, WatchedEvent, WatchNotice } from "./types.js";

/**
 * The most answers that are held back. A client beyond that sends requests without reading the
 * answers, so its stream ends.
 */
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
  /** As the client asked; 0: from now. */
  readonly startRevision: number;
  readonly noPut: boolean;
  readonly noDelete: boolean;
  readonly prevKv: boolean;
  readonly progressNotify: boolean;
  state: WatcherState;
  /** Every event below this revision was delivered or is not wanted. */
  next: number;
  /** True if the watcher got events since the last progress tick. */
  sawEvents: boolean;
  /** Events collected and not yet delivered. Empty between the hub's calls. */
  pending: WatchedEvent[];
  /** The revision of the first event of `pending`. */
  pendingFrom: number;
}

export class StreamState {
  readonly watchers = new Map<bigint, Watcher>();
  /** Parked watchers in the order in which they fell behind. */
  readonly parked = new Set<Watcher>();
  /** True if the client is to get a progress answer as soon as the transport takes it. */
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

  /** Picks an id. No id is given twice, even after a cancel. */
  freeId(): bigint {
    while (this.watchers.has(this.#nextId)) this.#nextId += 1n;
    this.#nextId += 1n;
    return this.#nextId - 1n;
  }

  /** Sends an answer without events, or holds it back. Returns false if too many are held back. */
  answer(notice: WatchNotice): boolean {
    if (this.isFull || this.#held.length > 0) {
      this.#held.push(notice);
      return this.#held.length <= heldNoticesMax;
    }
    this.send(notice);
    return true;
  }

  /** Sends a notice. Call only while the transport is not full. */
  send(notice: WatchNotice): void {
    if (!this.#deliver(notice)) this.isFull = true;
  }

  /** Call when the transport can take more: delivers held answers until it is full again. */
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

  /** Ends the stream; no notice leaves after this one. */
  end(cause: EndCause): void {
    this.#held = [];
    this.#deliver({ kind: "ended", cause });
  }
}
