/**
 * Bounds what all connections of a server hold together. Beyond these bounds each connection gets
 * only its fair share. So many connections together cannot do what one may not, and a connection
 * that holds little goes on.
 */
export interface SharedLimits {
  /** Octets of unfinished messages. */
  readonly allUnfinishedBytesMax: number;
  /** Octets of answers that clients have not read. */
  readonly allWaitingBytesHigh: number;
  /** Octets of each kind that a connection may hold while there is too much of it. */
  readonly fairBytes: number;
}

export class SharedBudget {
  readonly fairBytes: number;
  readonly #limits: SharedLimits;
  #unfinishedBytes = 0;
  #waitingBytes = 0;

  constructor(limits: SharedLimits) {
    this.#limits = limits;
    this.fairBytes = limits.fairBytes;
  }

  get hasTooMuchUnfinished(): boolean {
    return this.#unfinishedBytes > this.#limits.allUnfinishedBytesMax;
  }

  get hasTooMuchWaiting(): boolean {
    return this.#waitingBytes > this.#limits.allWaitingBytesHigh;
  }

  addUnfinished(bytes: number): void {
    this.#unfinishedBytes += bytes;
  }

  addWaiting(bytes: number): void {
    this.#waitingBytes += bytes;
  }
}
