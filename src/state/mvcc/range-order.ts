/**
 * Ranges in another order than that of the keys. With a limit only the first rows are kept, in a
 * heap. Orders by revision or version keep numbers and read the rows at the end. Rows that compare
 * as equal stay in key order.
 */
import { compareBytes } from "../../base/bytes.js";
import {
  RangeRequest_SortOrder as Order,
  type RangeRequest,
  RangeRequest_SortTarget as Target,
} from "../../wire/gen/rpc.js";
import { valueBytesOf, withoutValue } from "../../wire/key-value.js";
import { mergeSort } from "../sort-in-slices.js";
import type { KvBytes } from "../types.js";
import type { Work } from "../work.js";
import { BoundedHeap } from "./bounded-heap.js";
import type { KvView } from "./kv-view.js";
import type { LiveRow } from "./live-row.js";

/**
 * True if the rows must be sorted. Keys come in ascending order anyway. A request with another sort
 * target but no sort order sorts ascending.
 */
export function needsSort(request: RangeRequest): boolean {
  if (request.sort_target === Target.KEY) return request.sort_order === Order.DESCEND;
  return request.sort_target in ranks;
}

interface Item {
  readonly rank: number | Uint8Array;
  /** Position in key order. */
  readonly at: number;
  readonly modRevision: number;
  readonly sub: number;
  /** The row, if it had to be read for the rank, or if it cannot be found again later. */
  row: KvBytes | undefined;
}
type Ranker = (live: LiveRow, at: number) => Item["rank"];

const ranks: Partial<Record<Target, Ranker>> = {
  [Target.KEY]: (_live, at) => at,
  [Target.VERSION]: (live) => live.version,
  [Target.CREATE]: (live) => live.createRevision,
  [Target.MOD]: (live) => live.modRevision,
  [Target.VALUE]: (live) => valueBytesOf(live.bytes),
};
/** The rows of a range, first in key order, then in the order that the request asks for. */
export class OrderedRows {
  readonly #isKeysOnly: boolean;
  readonly #rank: Ranker;
  readonly #compare: (a: Item, b: Item) => number;
  readonly #first: BoundedHeap<Item> | undefined;
  #all: Item[] = [];
  #seen = 0;

  /** `limit` 0: no limit. */
  constructor(request: RangeRequest, limit: number) {
    this.#isKeysOnly = request.keys_only;
    this.#rank = ranks[request.sort_target] as Ranker;
    const sign = request.sort_order === Order.DESCEND ? -1 : 1;
    this.#compare = (a, b) => sign * compareRanks(a.rank, b.rank) || a.at - b.at;
    this.#first = limit > 0 ? new BoundedHeap(limit, this.#compare) : undefined;
  }

  /** Takes the row of the next key. Returns by how many bytes the kept rows have grown. */
  take(live: LiveRow): number {
    const at = this.#seen++;
    const rank = this.#rank(live, at);
    const { modRevision, sub } = live;
    const item: Item = { rank, at, modRevision, sub, row: undefined };
    if (live.isRead) item.row = live.bytes;
    else if (this.#isKeysOnly) item.row = live.withoutValue;
    const bytes = item.row?.length ?? 0;
    if (this.#first === undefined) {
      this.#all.push(item);
      return bytes;
    }
    const dropped = this.#first.push(item);
    return bytes - (dropped?.row?.length ?? 0);
  }

  /**
   * Visits the rows in order until `visit` returns false, and pauses in between. `visit` also gets
   * the bytes that the row was counted with.
   */
  *visit(
    view: KvView,
    work: Work,
    visit: (row: KvBytes, heldBytes: number) => boolean,
  ): Generator<undefined, undefined> {
    const items = yield* mergeSort(this.#first?.items() ?? this.#all, this.#compare, work);
    this.#all = [];
    for (const item of items) {
      const held = item.row?.length ?? 0;
      const row = item.row ?? view.rowAt(item.modRevision, item.sub);
      // The answer has the row now, so its bytes are freed here.
      item.row = undefined;
      if (!visit(this.#isKeysOnly ? withoutValue(row) : row, held)) return undefined;
      if (work.spend(1)) yield;
    }
    return undefined;
  }
}

function compareRanks(a: Item["rank"], b: Item["rank"]): number {
  if (typeof a === "number") return a - (b as number);
  return compareBytes(a, b as Uint8Array);
}
