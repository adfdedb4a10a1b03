/** The open streams of a connection, and the ids of closed ones (RFC 9113, 5.1.1). */
import type { Http2Stream } from "./stream.js";

/**
 * After the server resets a stream, frames of it may still arrive. The table remembers this many of
 * them and forgets older ones.
 */
const rememberedResets = 1_024;
const rememberedGaps = 16;

export class StreamTable {
  /** The highest id that the peer has used. */
  lastId = 0;
  readonly #open = new Map<number, Http2Stream>();
  readonly #reset = new Set<number>();
  /** Ranges of ids that the peer skipped, so they were never used: from, to. */
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

  /**
   * True for an id that is not used yet. This includes the ids of the server's own streams, because
   * it starts none.
   */
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
