/**
 * The frozen views of a member's states. A reader that reads a state in several turns holds a view.
 * The backend below a view stays open until its last view is closed, even if another state is in
 * use by then. So every view must end. The holder of a view for the member's own work closes it
 * when it sees a newer state. The views of clients are bounded: in number, in time, and by how many
 * replaced states are kept for them. A view that was ended refuses reads by throwing the reason, a
 * KvError for its client.
 */

import { KvError } from "../base/errors.js";
import { invariant } from "../base/invariant.js";
import type { Backend, BackendSnapshot } from "../platform/backend.js";
import type { Clock, Timer } from "../platform/clock.js";
import type { RowVisit, ScanRange } from "../platform/row-layer.js";
import type { Bucket } from "../platform/rows.js";

/** How many client views may be open at a time: Snapshot streams and Hash. */
export const clientViewsMax = 32;
/** Milliseconds after which a view is ended whose client takes nothing. */
export const clientIdleMs = 60_000;
/** Milliseconds after which any client view is ended: it keeps disk pages in use. */
export const clientLifeMs = 60 * 60_000;
/** How many replaced states are kept for readers; each is a file of its own. */
export const replacedStatesMax = 2;
const lookMs = 5_000;

export interface ClientView extends BackendSnapshot {
  /** Call when the client has taken something. */
  touch(): void;
}

export class StateViews {
  readonly #clock: Clock;
  readonly #open = new Set<HeldView>();
  /** Replaced states with open views; the oldest first. */
  #replaced: Backend[] = [];
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A view for the member's own work. The holder closes it. */
  open(backend: Backend): BackendSnapshot {
    return this.#hold(backend, undefined);
  }

  /**
   * A view for a client. Calls `ended`, in a turn of its own, if the view is ended before it is
   * closed. @throws KvError tooManyViews
   */
  openForClient(backend: Backend, ended: (error: KvError) => void): ClientView {
    if (this.#clients().length >= clientViewsMax) throw new KvError("tooManyViews");
    const view = this.#hold(backend, { sinceMs: this.#clock.now(), ended });
    this.#watch();
    return view;
  }

  /** Ends all views of a state, or of all states if `backend` is undefined. */
  end(backend: Backend | undefined, reason: KvError): void {
    for (const view of [...this.#open]) {
      if (backend === undefined || view.backend === backend) view.end(reason);
    }
  }

  /** Call when another state has replaced this one. */
  replaced(backend: Backend): void {
    if ([...this.#open].some((view) => view.backend === backend)) this.#replaced.push(backend);
    if (this.#replaced.length <= replacedStatesMax) return;
    const oldest = this.#replaced[0];
    for (const view of this.#clients()) {
      if (view.backend === oldest) view.end(new KvError("viewReplaced"));
    }
  }

  #hold(backend: Backend, client: Client | undefined): HeldView {
    const view = new HeldView(this.#clock, { backend, client }, () => this.#closed(view));
    this.#open.add(view);
    return view;
  }

  #closed(view: HeldView): void {
    invariant(this.#open.delete(view), "a view is closed twice");
    const isRead = (backend: Backend): boolean =>
      [...this.#open].some((other) => other.backend === backend);
    this.#replaced = this.#replaced.filter(isRead);
    if (this.#clients().length > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #clients(): readonly HeldView[] {
    return [...this.#open].filter((view) => view.client !== undefined);
  }

  /** Looks for late views while any client has a view. */
  #watch(): void {
    this.#timer ??= this.#clock.after(lookMs, () => {
      this.#timer = undefined;
      const nowMs = this.#clock.now();
      for (const view of this.#clients()) {
        if (view.isLate(nowMs)) view.end(new KvError("viewTooSlow"));
      }
      if (this.#clients().length > 0) this.#watch();
    });
  }
}

interface Client {
  readonly sinceMs: number;
  ended(error: KvError): void;
}

class HeldView implements ClientView {
  readonly backend: Backend;
  readonly client: Client | undefined;
  readonly #clock: Clock;
  readonly #snapshot: BackendSnapshot;
  readonly #closed: () => void;
  #touchedMs: number;
  #isClosed = false;
  #reason: KvError | undefined;

  constructor(
    clock: Clock,
    of: { readonly backend: Backend; readonly client: Client | undefined },
    closed: () => void,
  ) {
    this.#clock = clock;
    this.backend = of.backend;
    this.client = of.client;
    this.#snapshot = of.backend.snapshot();
    this.#closed = closed;
    this.#touchedMs = clock.now();
  }

  get(bucket: Bucket, key: Uint8Array): Uint8Array | undefined {
    if (this.#reason !== undefined) throw this.#reason;
    this.touch();
    return this.#snapshot.get(bucket, key);
  }

  scan(bucket: Bucket, range: ScanRange, visit: RowVisit): void {
    if (this.#reason !== undefined) throw this.#reason;
    this.touch();
    this.#snapshot.scan(bucket, range, visit);
  }

  touch(): void {
    this.#touchedMs = this.#clock.now();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#snapshot.close();
    this.#closed();
  }

  isLate(nowMs: number): boolean {
    const { client } = this;
    if (client === undefined) return false;
    return nowMs - this.#touchedMs >= clientIdleMs || nowMs - client.sinceMs >= clientLifeMs;
  }

  end(reason: KvError): void {
    if (this.#isClosed) return;
    this.#reason = reason;
    this.close();
    const { client } = this;
    // `ended` may do anything, and this call may be in the middle of a replacement.
    if (client !== undefined) this.#clock.defer(() => client.ended(reason));
  }
}
