/**
 * The rows that a range has found. A few are kept one by one; many are gathered as encoded pieces
 * (wire/encoded-rows.ts), so that a large answer takes little more memory than its bytes.
 */
import { type EncodedRows, RowPieces } from "../../wire/encoded-rows.js";
import type { KvBytes } from "../types.js";

const rowsMax = 512;
const bytesMax = 128 * 1024;

export class RangeRows {
  #few: KvBytes[] = [];
  #fewBytes = 0;
  #many: RowPieces | undefined;
  length = 0;

  push(row: KvBytes): void {
    this.length++;
    if (this.#many !== undefined) {
      this.#many.add(row);
      return;
    }
    this.#few.push(row);
    this.#fewBytes += row.length;
    if (this.#few.length <= rowsMax && this.#fewBytes <= bytesMax) return;
    this.#many = new RowPieces();
    for (const few of this.#few) this.#many.add(few);
    this.#few = [];
  }

  /** Call once, when all rows are here. */
  result(): { readonly kvs: readonly KvBytes[]; readonly encoded?: EncodedRows } {
    return this.#many === undefined ? { kvs: this.#few } : { kvs: [], encoded: this.#many.end() };
  }
}
