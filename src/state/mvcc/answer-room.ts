/**
 * How much an answer may still hold. An answer is not state: only the member that has to give it
 * gathers it, and one that becomes too large is dropped as soon as that is known.
 */
const readBytesMax = 512 * 1024 * 1024;
/** Of an entry: what is committed behind it waits while its answer is gathered. */
const entryBytesMax = 128 * 1024 * 1024;

export class AnswerRoom {
  #left: number;

  static ofRead(): AnswerRoom {
    return new AnswerRoom(readBytesMax);
  }

  static ofEntry(): AnswerRoom {
    return new AnswerRoom(entryBytesMax);
  }

  private constructor(bytes: number) {
    this.#left = bytes;
  }

  /** False: there is no room for that; whoever gathers drops what it has. */
  take(bytes: number): boolean {
    this.#left -= bytes;
    return this.#left >= 0;
  }

  get isExceeded(): boolean {
    return this.#left < 0;
  }
}
