/**
 * Gathers many rows of an answer as bytes, in large pieces: one KeyValue behind the other, each as
 * a field of its message. The field is 2 (`kvs`) of RangeResponse, or 3 (`prev_kvs`) of
 * DeleteRangeResponse. A row that is gathered here costs no object of its own. Large rows are kept
 * as they are, without a copy.
 */
import { keyOf } from "./key-value.js";
import { delimitedLength, noBytes, writeDelimited, writeDelimiter } from "./protobuf-writer.js";

/** The rows of a large range in an answer. */
export interface EncodedRows {
  /** The pieces. Joined, they are the repeated field. */
  readonly pieces: readonly Uint8Array[];
  /** The bytes of all pieces. */
  readonly bytes: number;
  /** The number of rows. */
  readonly length: number;
  /** The key of the last row. */
  readonly lastKey: Uint8Array;
}

export const kvsTag = 0x12;
export const prevKvsTag = 0x1a;
const pieceBytes = 128 * 1024;
/** A row above this size becomes a piece of its own. */
const copyBytesMax = 16 * 1024;
/** Tag and length of a row: a length takes at most five bytes here. */
const delimiterBytesMax = 6;

export class RowPieces implements EncodedRows {
  readonly pieces: Uint8Array[] = [];
  bytes = 0;
  length = 0;
  #last: Uint8Array = noBytes;
  #piece: Uint8Array | undefined;
  #used = 0;
  readonly #tag: number;

  constructor(tag: number) {
    this.#tag = tag;
  }

  /** Adds a row, an encoded mvccpb.KeyValue. Its bytes must not change any more. */
  add(row: Uint8Array): void {
    const bytes = delimitedLength(row.length);
    this.bytes += bytes;
    this.length++;
    this.#last = row;
    if (row.length <= copyBytesMax) {
      const piece = this.#room(bytes);
      this.#used = writeDelimited(piece, this.#used, this.#tag, row);
      return;
    }
    const piece = this.#room(delimiterBytesMax);
    this.#used = writeDelimiter(piece, this.#used, this.#tag, row.length);
    this.#seal();
    this.pieces.push(row);
  }

  get lastKey(): Uint8Array {
    return keyOf(this.#last);
  }

  /** Returns the rows. Call once, when all rows are here. */
  end(): EncodedRows {
    this.#seal();
    return this;
  }

  #room(bytes: number): Uint8Array {
    if (this.#piece !== undefined && this.#piece.length - this.#used >= bytes) return this.#piece;
    this.#seal();
    this.#piece = Buffer.allocUnsafeSlow(pieceBytes);
    return this.#piece;
  }

  #seal(): void {
    if (this.#piece === undefined) return;
    this.pieces.push(this.#piece.subarray(0, this.#used));
    this.#piece = undefined;
    this.#used = 0;
  }
}
