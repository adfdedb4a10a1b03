/**
 * How much an answer may still hold. An answer is not state: only the member that has to give it
 * gathers it, and one that becomes too large is dropped as soon as that is known.
 */
export const answerBytesMax: number = 512 * 1024 * 1024;

export class AnswerRoom {
  #left: number;

  constructor(bytes: number = answerBytesMax) {
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
