/** The streams of a connection, and what is known of those that are closed (RFC 9113, 5.1.1). */
import type { Http2Stream } from "./stream.js";

/** Of streams that we reset frames may still be on their way. Older ones are forgotten. */
const rememberedResets = 1_024;
const rememberedGaps = 16;

export class StreamTable {
  /** The highest id that the peer has used. */
  lastId = 0;
  readonly #open = new Map<number, Http2Stream>();
  readonly #reset = new Set<number>();
  /** Ids that were never used because the peer went past them: from, to. */
  readonly #gaps: (readonly [number, number])[] = [];

  get count(): number {
    return this.#open.size;
  }

  get(id: number): Http2Stream | undefined {
    return this.#open.get(id);
  }

  all(): Iterable<Http2Stream> {
    return this.#open.values();
  }

  add(stream: Http2Stream): void {
    this.#open.set(stream.id, stream);
  }

  remove(stream: Http2Stream): void {
    this.#open.delete(stream.id);
  }

  noteOpened(id: number): void {
    if (id > this.lastId + 2) {
      if (this.#gaps.length === rememberedGaps) this.#gaps.shift();
      this.#gaps.push([this.lastId + 1, id - 1]);
    }
    this.lastId = id;
  }

  noteReset(id: number): void {
    this.#reset.add(id);
    if (this.#reset.size <= rememberedResets) return;
    for (const oldest of this.#reset) {
      this.#reset.delete(oldest);
      break;
    }
  }

  /** Not used yet; ids that only we could use, too, for we never do. */
  isIdle(id: number): boolean {
    return id > this.lastId || (id & 1) === 0;
  }

  wasReset(id: number): boolean {
    return this.#reset.has(id);
  }

  wasSkipped(id: number): boolean {
    return this.#gaps.some(([from, to]) => id >= from && id <= to);
  }
}
