/**
 * Rows of bucket key that ranges read and verified lately, by revision. The row of a revision never
 * changes, so nothing here has to be taken back when keys change. A row is used for a second; then
 * it is read and verified anew, so damage at rest in rows that clients read is found as fast.
 *
 * Rows stand one behind the other in chunks, as few objects cost the collector little. The oldest
 * chunks go first. A row that is handed out keeps its chunk (at most 16 KiB) in memory. The table
 * is direct-mapped: a row may push out another one of the same slot.
 */
import { copyBytes } from "../../base/bytes.js";
import type { KvBytes } from "../types.js";

const chunkBytes = 16 * 1024;
/** A longer row gets a chunk of its own. */
const sharedBytesMax = chunkBytes / 8;
/** The bytes of all chunks; a row that takes more than a part of it is not kept. */
const cachedBytesMax = 32 * 1024 * 1024;
const rowBytesMax = cachedBytesMax / 32;

/** How long a row is used after it was read. */
const usedMs = 1_000;

const slotsAtFirst = 1024;
const slotsMax = 128 * 1024;

/** Place of a row: chunk number, first byte, length. */
const placeWords = 3;

class Slots {
  /** A power of two. */
  readonly count: number;
  /** Main revision of each slot's row; 0: none. */
  readonly mains: Float64Array;
  readonly subs: Float64Array;
  readonly places: Uint32Array;

  constructor(count: number) {
    this.count = count;
    this.mains = new Float64Array(count);
    this.subs = new Float64Array(count);
    this.places = new Uint32Array(count * placeWords);
  }

  /** Neighbours in revision have different slots. */
  slotOf(main: number, sub: number): number {
    return (main + 31 * sub) & (this.count - 1);
  }

  put(main: number, sub: number, place: readonly [chunk: number, at: number, length: number]) {
    const slot = this.slotOf(main, sub);
    this.mains[slot] = main;
    this.subs[slot] = sub;
    this.places.set(place, slot * placeWords);
  }
}

/** Rows that were read at `readMs` or later. */
interface Chunk {
  readonly bytes: Uint8Array;
  readonly readMs: number;
}

export class RowCache {
  #slots: Slots | undefined;
  /** Rows added to these slots. */
  #added = 0;
  /** Chunks by number, from `#oldest` on. */
  readonly #chunks = new Map<number, Chunk>();
  #oldest = 1;
  #newest = 0;
  #bytes = 0;
  /** The chunk that rows are written to, and its number; 0: there is none. */
  #open: Chunk = { bytes: new Uint8Array(0), readMs: 0 };
  #openNumber = 0;
  #used = 0;

  /** `nowMs`: when the read that wants the row began, in monotonic milliseconds. */
  get(main: number, sub: number, nowMs: number): KvBytes | undefined {
    const slots = this.#slots;
    if (slots === undefined) return undefined;
    const slot = slots.slotOf(main, sub);
    if (slots.mains[slot] !== main || slots.subs[slot] !== sub) return undefined;
    const place = slot * placeWords;
    const chunk = this.#chunks.get(slots.places[place] as number);
    if (chunk === undefined || !isUsable(chunk, nowMs)) return undefined;
    const at = slots.places[place + 1] as number;
    return chunk.bytes.subarray(at, at + (slots.places[place + 2] as number));
  }

  /** Copies the row. `main` is above 0. `nowMs`: when the read that has read it began. */
  add(main: number, sub: number, row: KvBytes, nowMs: number): void {
    if (row.length > rowBytesMax) return;
    const slots = this.#roomySlots();
    this.#added++;
    if (row.length > sharedBytesMax) {
      const number = this.#keep({ bytes: copyBytes(row), readMs: nowMs });
      slots.put(main, sub, [number, 0, row.length]);
      return;
    }
    if (!this.#hasRoom(row.length, nowMs)) {
      this.#open = { bytes: new Uint8Array(chunkBytes), readMs: nowMs };
      this.#openNumber = this.#keep(this.#open);
      this.#used = 0;
    }
    this.#open.bytes.set(row, this.#used);
    slots.put(main, sub, [this.#openNumber, this.#used, row.length]);
    this.#used += row.length;
  }

  #hasRoom(bytes: number, nowMs: number): boolean {
    if (!this.#chunks.has(this.#openNumber) || !isUsable(this.#open, nowMs)) return false;
    return this.#used + bytes <= this.#open.bytes.length;
  }

  /** Returns the number of the chunk. */
  #keep(chunk: Chunk): number {
    this.#chunks.set(++this.#newest, chunk);
    this.#bytes += chunk.bytes.length;
    for (; this.#bytes > cachedBytesMax; this.#oldest++) {
      this.#bytes -= this.#chunks.get(this.#oldest)?.bytes.length ?? 0;
      this.#chunks.delete(this.#oldest);
    }
    return this.#newest;
  }

  /** The slots, twice as many once as many rows were added as there are slots. */
  #roomySlots(): Slots {
    const former = this.#slots;
    if (former !== undefined && (this.#added < former.count || former.count >= slotsMax)) {
      return former;
    }
    const slots = new Slots(former === undefined ? slotsAtFirst : former.count * 2);
    for (let slot = 0; slot < (former?.count ?? 0); slot++) {
      const { mains, subs, places } = former as Slots;
      const [chunk = 0, at = 0, length = 0] = places.subarray(slot * placeWords);
      if (this.#chunks.has(chunk)) {
        slots.put(mains[slot] as number, subs[slot] as number, [chunk, at, length]);
      }
    }
    this.#slots = slots;
    return slots;
  }
}

function isUsable({ readMs }: Chunk, nowMs: number): boolean {
  return nowMs - readMs <= usedMs;
}
