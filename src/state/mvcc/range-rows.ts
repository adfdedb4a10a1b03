/**
 * Gathers the rows that a range has found, or that a deletion has deleted. A few are kept one by
 * one; many are gathered as encoded pieces (wire/encoded-rows.ts), so that a large answer takes
 * little more memory than its bytes.
 */
import {
  type EncodedRows,
  type kvsTag,
  type prevKvsTag,
  RowPieces,
} from "../../wire/encoded-rows.js";
import type { KvBytes } from "../types.js";

const rowsMax = 512;
const bytesMax = 128 * 1024;

export class RangeRows {
  #few: KvBytes[] = [];
  #fewBytes = 0;
  #many: RowPieces | undefined;
  length = 0;
  readonly #tag: number;

  /** The field of the answer that the rows become. */
  constructor(tag: typeof kvsTag | typeof prevKvsTag) {
    this.#tag = tag;
  }

  push(row: KvBytes): void {
    this.length++;
    if (this.#many !== undefined) {
      this.#many.add(row);
      return;
    }
    this.#few.push(row);
    this.#fewBytes += row.length;
    if (this.#few.length <= rowsMax && this.#fewBytes <= bytesMax) return;
    this.#many = new RowPieces(this.#tag);
    for (const few of this.#few) this.#many.add(few);
    this.#few = [];
  }

  /** Forgets all rows. */
  clear(): void {
    this.#few = [];
    this.#fewBytes = 0;
    this.#many = undefined;
    this.length = 0;
  }

  /** The gathered rows. Call once, when all rows are here. */
  result(): { readonly kvs: readonly KvBytes[]; readonly encoded?: EncodedRows } {
    return this.#many === undefined ? { kvs: this.#few } : { kvs: [], encoded: this.#many.end() };
  }
}
