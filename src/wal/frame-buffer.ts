/** Records of one coming flush, encoded as they arrive into one growing buffer. */
import type { Entry, HardState } from "../raft/types.js";
import {
  entryHeadBytes,
  frameBytesOf,
  hardStateBytes,
  headerBytes,
  type RecordType,
  sealFrame,
  RecordType as Type,
  writeEntry,
  writeHardState,
} from "./record.js";

/** A buffer that one huge batch has grown is given back after it. */
const keepBytesMax = 4 * 1024 * 1024;
const firstBytes = 64 * 1024;

export class FrameBuffer {
  #bytes = new Uint8Array(firstBytes);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;
  #chain = 0;
  #firstIndex: number | undefined;

  /** Each `add` takes the chain value before the record and returns the one after it. */
  addEntry(entry: Entry, chain: number): number {
    this.#firstIndex = Math.min(this.#firstIndex ?? entry.index, entry.index);
    const payloadBytes = entryHeadBytes + entry.data.length;
    this.#reserve(payloadBytes);
    writeEntry({ bytes: this.#bytes, view: this.#view, at: this.#length + headerBytes }, entry);
    return this.#seal(Type.entry, payloadBytes, chain);
  }

  addHardState(state: HardState, chain: number): number {
    this.#reserve(hardStateBytes);
    writeHardState(this.#view, this.#length + headerBytes, state);
    return this.#seal(Type.hardState, hardStateBytes, chain);
  }

  addRecord(type: RecordType, payload: Uint8Array, chain: number): number {
    this.#reserve(payload.length);
    this.#bytes.set(payload, this.#length + headerBytes);
    return this.#seal(type, payload.length, chain);
  }

  /** Valid until the next `add` or `clear`. */
  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** The chain value after the last record. */
  chain(): number {
    return this.#chain;
  }

  /** The lowest entry index in here; undefined: no entry. */
  firstIndex(): number | undefined {
    return this.#firstIndex;
  }

  clear(): void {
    this.#length = 0;
    this.#firstIndex = undefined;
    if (this.#bytes.length > keepBytesMax) this.#replace(new Uint8Array(firstBytes));
  }

  #seal(type: RecordType, payloadBytes: number, chain: number): number {
    const target = { bytes: this.#bytes, view: this.#view, at: this.#length };
    this.#chain = sealFrame(target, { type, payloadBytes, distance: this.#length }, chain);
    this.#length += frameBytesOf(payloadBytes);
    return this.#chain;
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
