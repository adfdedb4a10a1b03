/**
 * Range as etcd does it: select keys at a revision, then filter, sort and limit. Works on any view
 * of the store: the applied state, or the inside of a transaction that has written already. Ranges
 * of many keys pause in between (work.ts); the view must keep its revision meanwhile.
 */
import { KvError } from "../../base/errors.js";
import { toSafe } from "../../base/int64.js";
import { kvsTag } from "../../wire/encoded-rows.js";
import { type RangeRequest, RangeRequest_SortOrder } from "../../wire/gen/rpc.js";
import type { KvBytes, RangeOutcome } from "../types.js";
import type { Work } from "../work.js";
import type { AnswerRoom } from "./answer-room.js";
import { type KeyHistory, type KeyRange, type KeyText, keyText } from "./key-index.js";
import type { KvView } from "./kv-view.js";
import { LiveRow } from "./live-row.js";
import { needsSort, OrderedRows } from "./range-order.js";
import { RangeRows } from "./range-rows.js";

const fromKey = 0;
/** How many bytes of a large row count as much as one small row. */
const bytesPerUnit = 1024;
/** The units of a key of which only the index is read: it costs far less than a row. */
const indexUnits = 1 / 8;

/**
 * The range of a request. Undefined: the single key. A `rangeEnd` of one 0 byte means everything
 * from `key` on.
 */
export function keyRange(key: Uint8Array, rangeEnd: Uint8Array): KeyRange | undefined {
  if (rangeEnd.length === 0) return undefined;
  const isOpen = rangeEnd.length === 1 && rangeEnd[0] === fromKey;
  return { from: keyText(key), to: isOpen ? undefined : keyText(rangeEnd) };
}

/**
 * The revision that a read at `wanted` (<= 0: now) sees. @throws KvError futureRevision, compacted
 */
export function readRevision(view: KvView, wanted: number): number {
  if (wanted > view.revision) throw new KvError("futureRevision");
  const revision = wanted <= 0 ? view.revision : wanted;
  if (revision < view.compactRevision) throw new KvError("compacted");
  return revision;
}

interface LiveTarget {
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
  readonly revision: number;
}

/**
 * Visits the live keys of a range at `revision`, in key order. `visit` returns the units of its
 * work, or less than 0 to stop.
 */
export function* scanLive(
  view: KvView,
  target: LiveTarget,
  {
    work,
    visit,
  }: {
    readonly work: Work;
    visit(history: KeyHistory, place: number, key: KeyText): number;
  },
): Generator<undefined, void> {
  const range = keyRange(target.key, target.rangeEnd);
  if (range === undefined) {
    const key = keyText(target.key);
    const history = view.index.get(key);
    const place = history?.liveAt(target.revision) ?? -1;
    if (history !== undefined && place >= 0) visit(history, place, key);
    return;
  }
  for (let from: string | undefined = range.from; from !== undefined; ) {
    const start: string = from;
    from = undefined;
    view.index.scan({ from: start, to: range.to }, (key, history) => {
      const place = history.liveAt(target.revision);
      const units = place < 0 ? indexUnits : visit(history, place, key);
      if (units >= 0 && !work.spend(units)) return true;
      if (units >= 0) from = nextKey(key);
      return false;
    });
    if (from !== undefined) yield;
  }
}

/** The smallest key above this one. */
export function nextKey(key: string): string {
  return `${key}\0`;
}

/**
 * If the result exceeds `room`, the outcome has no rows. The owner of `room` must check for that.
 * @throws KvError futureRevision, compacted
 */
export function* evaluateRange(
  view: KvView,
  request: RangeRequest,
  {
    work,
    room,
    isPage = false,
  }: { readonly work: Work; readonly room: AnswerRoom; readonly isPage?: boolean },
): Generator<undefined, RangeOutcome> {
  const selection = new Selection(view, request, { room, isPage });
  const { target, known } = selection;
  if (known === undefined || !request.count_only) {
    const live = new LiveRow(view, request.range_end.length > 0);
    const visit = (history: KeyHistory, place: number, key: KeyText): number => {
      live.at(key, history, place);
      return selection.visit(live);
    };
    yield* scanLive(view, target, { work, visit });
    if (!room.isExceeded) yield* selection.putInOrder(work);
  }
  return selection.outcome();
}

/** Selects, of the live keys in key order, those that the answer needs. */
class Selection {
  readonly target: LiveTarget;
  /** The number of keys in the range, if the index tells it. */
  readonly known: number | undefined;
  readonly #view: KvView;
  readonly #request: RangeRequest;
  readonly #room: AnswerRoom;
  readonly #limit: number;
  readonly #isPage: boolean;
  readonly #filter: ((live: LiveRow) => boolean) | undefined;
  readonly #ordered: OrderedRows | undefined;
  /** Whether the first keys, one more than the limit, are enough. */
  readonly #endsAtLimit: boolean;
  readonly #rows = new RangeRows(kvsTag);
  #seen = 0;
  /** Keys that passed the filter. */
  #passed = 0;

  constructor(
    view: KvView,
    request: RangeRequest,
    { room, isPage }: { readonly room: AnswerRoom; readonly isPage: boolean },
  ) {
    this.#isPage = isPage;
    this.#view = view;
    this.#request = request;
    this.#room = room;
    const revision = readRevision(view, toSafe(request.revision));
    this.target = { key: request.key, rangeEnd: request.range_end, revision };
    this.known = countNow(view, this.target);
    this.#limit = Math.max(0, toSafe(request.limit));
    this.#filter = filterOf(request);
    if (needsSort(request)) this.#ordered = new OrderedRows(request, this.#limit);
    this.#endsAtLimit = this.#ordered === undefined || cutsBeforeSort(request, this.#filter);
  }

  /**
   * Takes the next live key. Returns the units of its work; less than 0: the answer needs no more
   * keys.
   */
  visit(live: LiveRow): number {
    this.#seen++;
    if (this.#request.count_only || this.#isFull) return this.#onlyCount();
    if (this.#filter?.(live) === false) return indexUnits;
    this.#passed++;
    if (this.#ordered !== undefined) {
      if (!this.#room.take(this.#ordered.take(live))) return -1;
    } else if (this.#limit > 0 && this.#passed > this.#limit) {
      return this.#onlyCount();
    } else if (!this.#push(this.#request.keys_only ? live.withoutValue : live.bytes)) {
      return -1;
    }
    return live.isRead ? 1 + Math.floor(live.bytes.length / bytesPerUnit) : indexUnits;
  }

  *putInOrder(work: Work): Generator<undefined, undefined> {
    if (this.#ordered === undefined) return undefined;
    const push = (row: KvBytes, heldBytes: number): boolean => this.#push(row, heldBytes);
    return yield* this.#ordered.visit(this.#view, work, push);
  }

  outcome(): RangeOutcome {
    if (this.#room.isExceeded) return { kind: "range", kvs: [], more: false, count: 0 };
    const more = this.#limit > 0 && this.#passed > this.#limit;
    const count = this.known ?? this.#seen;
    return { kind: "range", ...this.#rows.result(), more, count };
  }

  /** Adds a row to the answer. `heldBytes` of it are counted in the room already. */
  #push(row: KvBytes, heldBytes = 0): boolean {
    if (!this.#room.take(row.length - heldBytes)) return false;
    this.#rows.push(row);
    return true;
  }

  /** True if all rows of the answer are here, and there are more keys beyond the limit. */
  get #isFull(): boolean {
    return this.#endsAtLimit && this.#limit > 0 && this.#passed > this.#limit;
  }

  #onlyCount(): number {
    return this.known === undefined && !this.#isPage ? indexUnits : -1;
  }
}

/**
 * The number of keys in a range, if the index can tell without visiting them. It can only for the
 * current revision.
 */
function countNow(view: KvView, target: LiveTarget): number | undefined {
  if (target.revision !== view.revision) return undefined;
  const range = keyRange(target.key, target.rangeEnd);
  return range === undefined ? undefined : view.countAlive(range);
}

/**
 * True if etcd would cut before it sorts: with a sort target alone it takes the first keys, one
 * more than the limit, and sorts these.
 */
function cutsBeforeSort({ sort_order }: RangeRequest, filter: unknown): boolean {
  return sort_order === RangeRequest_SortOrder.NONE && filter === undefined;
}

/** The filter of a request, for the most part from the index alone. Undefined: all keys pass. */
function filterOf(request: RangeRequest): ((live: LiveRow) => boolean) | undefined {
  const mod = boundsOf(request.min_mod_revision, request.max_mod_revision);
  const create = boundsOf(request.min_create_revision, request.max_create_revision);
  if (mod === undefined && create === undefined) return undefined;
  return (live) =>
    (mod === undefined || isWithin(live.modRevision, mod)) &&
    (create === undefined || isWithin(live.createRevision, create));
}

interface Bounds {
  readonly min: number;
  readonly max: number;
}

/** 0 means no bound. */
function boundsOf(min: bigint, max: bigint): Bounds | undefined {
  if (min === 0n && max === 0n) return undefined;
  return { min: toSafe(min), max: max === 0n ? Number.MAX_SAFE_INTEGER : toSafe(max) };
}

function isWithin(revision: number, { min, max }: Bounds): boolean {
  return revision >= min && revision <= max;
}
