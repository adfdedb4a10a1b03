/**
 * The frozen views of a member's states. Whoever reads a state in several turns holds a view: the
 * backend below it stays open until the last one is closed, also when another state has taken its
 * place. So a view must end. One of the member's own work is closed by its holder as soon as that sees
 * a newer state. One of a client is bounded: in number, in time, and by how many replaced states are
 * kept for it. A view that is ended refuses reads with the reason, a KvError for its client.
 */
import { KvError } from "../base/errors.js";
import type { Backend, BackendSnapshot } from "../platform/backend.js";
import type { Clock, Timer } from "../platform/clock.js";
import type { RowVisit, ScanRange } from "../platform/row-layer.js";
import type { Bucket } from "../platform/rows.js";

/** Views of clients at a time: Snapshot streams and Hash. */
export const clientViewsMax = 32;
/** A client that takes nothing for so long is not waited for. */
export const clientIdleMs = 60_000;
/** A view holds the disk pages of its state: none may do so for ever. */
export const clientLifeMs = 60 * 60_000;
/** States that were replaced and are still read; each is a file of its own. */
export const replacedStatesMax = 2;
const lookMs = 5_000;

export interface ClientView extends BackendSnapshot {
  /** The client has taken something. */
  touch(): void;
}

export class StateViews {
  readonly #clock: Clock;
  readonly #open = new Set<HeldView>();
  /** With open views; the oldest first. */
  #replaced: Backend[] = [];
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** For work of the member itself; the holder closes it. */
  open(backend: Backend): BackendSnapshot {
    return this.#hold(backend, undefined);
  }

  /**
   * For a client. `ended` is told, in a turn of its own, when the view was ended before it was closed.
   * @throws KvError tooManyViews
   */
  openForClient(backend: Backend, ended: (error: KvError) => void): ClientView {
    if (this.#clients().length >= clientViewsMax) throw new KvError("tooManyViews");
    const view = this.#hold(backend, { sinceMs: this.#clock.now(), ended });
    this.#watch();
    return view;
  }

  /** Ends all views of a state, or of all states. */
  end(backend: Backend | undefined, reason: KvError): void {
    for (const view of [...this.#open]) {
      if (backend === undefined || view.backend === backend) view.end(reason);
    }
  }

  /** Another state has taken the place of this one. */
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
    this.#open.delete(view);
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

  /** While any client has a view. */
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
    // Whoever hears of it may do anything; this may be in the middle of a replacement.
    if (client !== undefined) this.#clock.defer(() => client.ended(reason));
  }
}
