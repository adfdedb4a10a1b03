/**
 * Limits the bytes of one answer. An answer is not state: only the member that must give it gathers
 * it, and drops it as soon as it is too large.
 */
const readBytesMax = 512 * 1024 * 1024;
/** For an entry's answer the limit is lower, because later entries wait while it is gathered. */
const entryBytesMax = 128 * 1024 * 1024;

export class AnswerRoom {
  #left: number;
  readonly #max: number;

  static ofRead(): AnswerRoom {
    return new AnswerRoom(readBytesMax);
  }

  static ofEntry(): AnswerRoom {
    return new AnswerRoom(entryBytesMax);
  }

  private constructor(bytes: number) {
    this.#left = bytes;
    this.#max = bytes;
  }

  /** Bytes that the answer holds. */
  get taken(): number {
    return this.#max - this.#left;
  }

  /**
   * Counts these bytes. Returns false if there is no room for them; the caller then drops what it
   * has gathered.
   */
  take(bytes: number): boolean {
    this.#left -= bytes;
    return this.#left >= 0;
  }

  get isExceeded(): boolean {
    return this.#left < 0;
  }
}
