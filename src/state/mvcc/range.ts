/**
 * Range as etcd does it: which keys, at which revision, then filters, order and limit. Works on any
 * view of the store: the applied state, or the inside of a transaction that has written already.
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
import { type KeyHistory, type KeyIndex, type KeyRange, keyText } from "./key-index.js";

/** What a range reads. */
export interface KvView {
  readonly index: KeyIndex;
  /** The newest revision that can be read here. */
  readonly revision: number;
  /** -1: nothing was compacted yet. */
  readonly compactRevision: number;
  /** The KeyValue at a place of a key's history. */
  row(history: KeyHistory, place: number): KvBytes;
}

const fromKey = 0;

/** Undefined: the one key. `rangeEnd` of a single 0 byte: everything from `key` on. */
export function keyRange(key: Uint8Array, rangeEnd: Uint8Array): KeyRange | undefined {
  if (rangeEnd.length === 0) return undefined;
  const isOpen = rangeEnd.length === 1 && rangeEnd[0] === fromKey;
  return { from: keyText(key), to: isOpen ? undefined : keyText(rangeEnd) };
}

/** The revision a read at `wanted` (<= 0: now) sees. @throws KvError futureRevision, compacted */
export function readRevision(view: KvView, wanted: number): number {
  if (wanted > view.revision) throw new KvError("futureRevision");
  const revision = wanted <= 0 ? view.revision : wanted;
  if (revision < view.compactRevision) throw new KvError("compacted");
  return revision;
}

/** Visits the live keys of a range at `revision`, in key order, until `visit` returns false. */
export function scanLive(
  view: KvView,
  target: { readonly key: Uint8Array; readonly rangeEnd: Uint8Array; readonly revision: number },
  visit: (history: KeyHistory, place: number) => boolean,
): void {
  const range = keyRange(target.key, target.rangeEnd);
  if (range === undefined) {
    const history = view.index.get(keyText(target.key));
    const place = history?.liveAt(target.revision) ?? -1;
    if (history !== undefined && place >= 0) visit(history, place);
    return;
  }
  view.index.scan(range, (_key, history) => {
    const place = history.liveAt(target.revision);
    return place < 0 || visit(history, place);
  });
}

/** @throws KvError futureRevision, compacted */
export function evaluateRange(view: KvView, request: RangeRequest): RangeOutcome {
  const revision = readRevision(view, toSafe(request.revision));
  const limit = toSafe(request.limit);
  const isWhole = request.sort_order !== Order.NONE || hasFilter(request);
  const takeMax = isWhole || limit <= 0 ? Number.MAX_SAFE_INTEGER : limit + 1;
  const target = { key: request.key, rangeEnd: request.range_end, revision };
  let count = countNow(view, target);
  let kvs: KvBytes[] = [];
  if (count === undefined || !request.count_only) {
    const isCounting = count === undefined;
    let seen = 0;
    scanLive(view, target, (history, place) => {
      seen++;
      if (!request.count_only && kvs.length < takeMax) kvs.push(view.row(history, place));
      return isCounting || kvs.length < takeMax;
    });
    count ??= seen;
  }
  if (hasFilter(request)) kvs = filter(kvs, request);
  if (needsSort(request)) kvs = sort(kvs, request);
  const more = limit > 0 && kvs.length > limit;
  if (more) kvs = kvs.slice(0, limit);
  if (request.keys_only) kvs = kvs.map(withoutValue);
  return { kind: "range", kvs, more, count };
}

/** How many keys a range has, if the index can tell without visiting them: only for the present. */
function countNow(
  view: KvView,
  target: { readonly key: Uint8Array; readonly rangeEnd: Uint8Array; readonly revision: number },
): number | undefined {
  if (target.revision !== view.revision) return undefined;
  const range = keyRange(target.key, target.rangeEnd);
  return range === undefined ? undefined : view.index.aliveIn(range);
}

function hasFilter(request: RangeRequest): boolean {
  return (
    request.min_mod_revision !== 0n ||
    request.max_mod_revision !== 0n ||
    request.min_create_revision !== 0n ||
    request.max_create_revision !== 0n
  );
}

function filter(kvs: readonly KvBytes[], request: RangeRequest): KvBytes[] {
  const minMod = toSafe(request.min_mod_revision);
  const maxMod = toSafe(request.max_mod_revision) || Number.MAX_SAFE_INTEGER;
  const minCreate = toSafe(request.min_create_revision);
  const maxCreate = toSafe(request.max_create_revision) || Number.MAX_SAFE_INTEGER;
  return kvs.filter((bytes) => {
    const { modRevision: mod, createRevision: create } = decodeKeyValue(bytes);
    return mod >= minMod && mod <= maxMod && create >= minCreate && create <= maxCreate;
  });
}

/** Keys come in ascending order anyway; a target other than the key without an order ascends. */
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
