/** Bytes of requests that have come in part, summed over all clients. */
export class HeldBytes {
  readonly #max: number;
  #sum = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** The share of one request. The function that comes back sets it; false: the sum is too large. */
  share(): (bytes: number) => boolean {
    let own = 0;
    return (bytes) => {
      this.#sum += bytes - own;
      own = bytes;
      return this.#sum <= this.#max;
    };
  }
}
