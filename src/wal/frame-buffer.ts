/**
 * Gathers the records of the coming flush, encoded as they arrive into one growing buffer. The
 * flush writes this buffer as it is.
 */
import { crc32c, crc32cWord } from "../base/crc32c.js";
import type { Entry, HardState } from "../raft/types.js";
import {
  chainAt,
  continuesBit,
  distanceAt,
  frameBytesOf,
  headerBytes,
  lengthAt,
  RecordType,
  tagOf,
  typeAt,
} from "./frame.js";
import { entryHeadBytes, hardStateBytes, writeEntryHead, writeHardState } from "./payload.js";

/** A buffer that one huge batch made larger than this is replaced after the flush. */
const keepBytesMax = 4 * 1024 * 1024;
const firstBytes = 64 * 1024;

export class FrameBuffer {
  readonly #salt: number;
  #bytes = new Uint8Array(firstBytes);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;
  /** Where the bytes begin that were not taken yet. */
  #from = 0;
  /** Bytes of the same flush that are not in the buffer any more (see `taken`). */
  #before = 0;
  #chain = 0;
  #firstIndex: number | undefined;

  constructor(salt: number) {
    this.#salt = salt;
  }

  /** Starts an empty flush. It follows a record with this chain value. */
  begin(chain: number): void {
    this.#chain = chain;
    this.#length = 0;
    this.#from = 0;
    this.#before = 0;
    this.#firstIndex = undefined;
    if (this.#bytes.length > keepBytesMax) this.#replace(new Uint8Array(firstBytes));
  }

  /**
   * Encodes an entry. With `continues`, the next record belongs to the same batch; so in all `add`
   * calls.
   */
  addEntry(entry: Entry, continues: boolean): void {
    if (this.#firstIndex === undefined || entry.index < this.#firstIndex) {
      this.#firstIndex = entry.index;
    }
    const { data } = entry;
    this.#reserve(entryHeadBytes + data.length);
    const payloadAt = this.#length + headerBytes;
    writeEntryHead(this.#view, payloadAt, entry);
    this.#bytes.set(data, payloadAt + entryHeadBytes);
    this.#seal(RecordType.entry, entryHeadBytes + data.length, continues);
  }

  addHardState(state: HardState, continues: boolean): void {
    this.#reserve(hardStateBytes);
    writeHardState(this.#view, this.#length + headerBytes, state);
    this.#seal(RecordType.hardState, hardStateBytes, continues);
  }

  addRecord(type: RecordType, payload: Uint8Array, continues: boolean): void {
    this.#reserve(payload.length);
    this.#bytes.set(payload, this.#length + headerBytes);
    this.#seal(type, payload.length, continues);
  }

  /**
   * The bytes of this flush that were not taken. Valid until the next `add`, `taken` or `begin`.
   */
  bytes(): Uint8Array {
    return this.#bytes.subarray(this.#from, this.#length);
  }

  /** Call when the first `count` of `bytes` were written apart from the rest of this flush. */
  taken(count: number): void {
    this.#from += count;
    if (this.#from < this.#length) return;
    this.#before += this.#length;
    this.#length = 0;
    this.#from = 0;
  }

  isEmpty(): boolean {
    return this.#length === this.#from;
  }

  /** The chain value after the last record. */
  chain(): number {
    return this.#chain;
  }

  /** The lowest entry index of this flush. Undefined: there is no entry. */
  firstIndex(): number | undefined {
    return this.#firstIndex;
  }

  #seal(recordType: RecordType, length: number, continues: boolean): void {
    const view = this.#view;
    const at = this.#length;
    const type = continues ? recordType | continuesBit : recordType;
    const distance = this.#before + at;
    const end = at + headerBytes + length;
    view.setUint32(at + lengthAt, length, true);
    view.setUint32(at + distanceAt, distance, true);
    view.setUint32(at + typeAt, tagOf({ type, length, distance }, this.#salt), true);
    const own = crc32c(this.#bytes.subarray(at + lengthAt, end), this.#salt);
    this.#chain = crc32cWord(own, this.#chain);
    view.setUint32(at, own, true);
    view.setUint32(at + chainAt, this.#chain, true);
    this.#length += frameBytesOf(length);
    for (let padding = end; padding < this.#length; padding++) this.#bytes[padding] = 0;
  }

  #reserve(payloadBytes: number): void {
    const needed = this.#length + frameBytesOf(payloadBytes);
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#replace(larger);
  }

  #replace(bytes: Uint8Array<ArrayBuffer>): void {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }
}
