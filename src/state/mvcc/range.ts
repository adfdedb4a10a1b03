/**
 * Range as etcd does it: select keys at a revision, then filter, sort and limit. Works on any view
 * of the store: the applied state, or the inside of a transaction that has written already. Ranges
 * of many keys pause in between (work.ts); the view must keep its revision meanwhile.
 */
import { compareBytes } from "../../base/bytes.js";
import { KvError } from "../../base/errors.js";
import { toSafe } from "../../base/int64.js";
import {
  RangeRequest_SortOrder as Order,
  type RangeRequest,
  RangeRequest_SortTarget as Target,
} from "../../wire/gen/rpc.js";
import { decodeKeyValue, type KeyValueFields, withoutValue } from "../../wire/key-value.js";
import type { KvBytes, RangeOutcome } from "../types.js";
import type { Work } from "../work.js";
import type { AnswerRoom } from "./answer-room.js";
import { type KeyHistory, type KeyIndex, type KeyRange, keyText } from "./key-index.js";

/** What a range reads from. */
export interface KvView {
  readonly index: KeyIndex;
  /** The newest revision that can be read here. */
  readonly revision: number;
  /** -1: nothing was compacted yet. */
  readonly compactRevision: number;
  /** The KeyValue at a place of a key's history. */
  row(history: KeyHistory, place: number): KvBytes;
  /** The number of keys of a range alive at `revision`, if it is known without visiting them. */
  countAlive(range: KeyRange): number | undefined;
}

const fromKey = 0;
/** This many bytes of a large row count as much as one small row. */
const bytesPerUnit = 1024;

/** Undefined: the single key. `rangeEnd` of a single 0 byte: everything from `key` on. */
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
  { work, visit }: { readonly work: Work; visit(history: KeyHistory, place: number): number },
): Generator<undefined, void> {
  const range = keyRange(target.key, target.rangeEnd);
  if (range === undefined) {
    const history = view.index.get(keyText(target.key));
    const place = history?.liveAt(target.revision) ?? -1;
    if (history !== undefined && place >= 0) visit(history, place);
    return;
  }
  for (let from: string | undefined = range.from; from !== undefined; ) {
    const start: string = from;
    from = undefined;
    view.index.scan({ from: start, to: range.to }, (key, history) => {
      const place = history.liveAt(target.revision);
      const units = place < 0 ? 1 : visit(history, place);
      if (units >= 0 && !work.spend(units)) return true;
      if (units >= 0) from = nextKey(key);
      return false;
    });
    if (from !== undefined) yield;
  }
}

/** The first key behind this one. */
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
  { work, room }: { readonly work: Work; readonly room: AnswerRoom },
): Generator<undefined, RangeOutcome> {
  const revision = readRevision(view, toSafe(request.revision));
  const limit = toSafe(request.limit);
  const isFiltered = hasFilter(request);
  const isWhole = request.sort_order !== Order.NONE || isFiltered;
  const takeMax = isWhole || limit <= 0 ? Number.MAX_SAFE_INTEGER : limit + 1;
  const target = { key: request.key, rangeEnd: request.range_end, revision };
  const known = countNow(view, target);
  let kvs: KvBytes[] = [];
  let seen = 0;
  if (known === undefined || !request.count_only) {
    const isShort = request.keys_only && !needsSort(request);
    const visit = (history: KeyHistory, place: number): number => {
      seen++;
      if (request.count_only || kvs.length >= takeMax) return known === undefined ? 1 : -1;
      const row = view.row(history, place);
      if (!isFiltered || passes(row, request)) {
        const kv = isShort ? withoutValue(row) : row;
        if (!room.take(kv.length)) return -1;
        kvs.push(kv);
      }
      if (known !== undefined && kvs.length >= takeMax) return -1;
      return 1 + Math.floor(row.length / bytesPerUnit);
    };
    yield* scanLive(view, target, { work, visit });
  }
  if (room.isExceeded) return { kind: "range", kvs: [], more: false, count: 0 };
  if (needsSort(request)) kvs = sort(kvs, request);
  const more = limit > 0 && kvs.length > limit;
  if (more) kvs = kvs.slice(0, limit);
  if (request.keys_only && needsSort(request)) kvs = kvs.map(withoutValue);
  return { kind: "range", kvs, more, count: known ?? seen };
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

function hasFilter(request: RangeRequest): boolean {
  return (
    request.min_mod_revision !== 0n ||
    request.max_mod_revision !== 0n ||
    request.min_create_revision !== 0n ||
    request.max_create_revision !== 0n
  );
}

function passes(bytes: KvBytes, request: RangeRequest): boolean {
  const { modRevision: mod, createRevision: create } = decodeKeyValue(bytes);
  const isIn = (revision: number, min: bigint, max: bigint): boolean =>
    revision >= toSafe(min) && revision <= (toSafe(max) || Number.MAX_SAFE_INTEGER);
  return (
    isIn(mod, request.min_mod_revision, request.max_mod_revision) &&
    isIn(create, request.min_create_revision, request.max_create_revision)
  );
}

/** Keys come in ascending order anyway. Another target, without an order, sorts ascending. */
function needsSort(request: RangeRequest): boolean {
  return request.sort_order !== Order.NONE || request.sort_target !== Target.KEY;
}

const comparisons: Partial<Record<Target, (a: KeyValueFields, b: KeyValueFields) => number>> = {
  [Target.KEY]: (a, b) => compareBytes(a.key, b.key),
  [Target.VERSION]: (a, b) => a.version - b.version,
  [Target.CREATE]: (a, b) => a.createRevision - b.createRevision,
  [Target.MOD]: (a, b) => a.modRevision - b.modRevision,
  [Target.VALUE]: (a, b) => compareBytes(a.value, b.value),
};

function sort(kvs: readonly KvBytes[], request: RangeRequest): KvBytes[] {
  const compare = comparisons[request.sort_target];
  if (compare === undefined) return [...kvs];
  const sign = request.sort_order === Order.DESCEND ? -1 : 1;
  return kvs
    .map((bytes) => ({ bytes, kv: decodeKeyValue(bytes) }))
    .sort((a, b) => sign * compare(a.kv, b.kv))
    .map((item) => item.bytes);
}
