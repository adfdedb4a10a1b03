/** Cuts the DATA of one gRPC stream into messages: 5 bytes of prefix, then as many as it says. */

const prefixBytes = 5;

export class MessageCutter {
  readonly #onMessage: (message: Buffer) => void;
  /** Parts of a message that is not complete, and their length. */
  #parts: Buffer[] = [];
  #have = 0;

  constructor(onMessage: (message: Buffer) => void) {
    this.#onMessage = onMessage;
  }

  /** The payload is `bytes` from `start` to `end`. */
  receive(bytes: Buffer, start: number, end: number): void {
    if (this.#have > 0) {
      this.#add(bytes.subarray(start, end));
      return;
    }
    const at = this.#cut(bytes, start, end);
    if (at < end) this.#keep(bytes.subarray(at, end));
  }

  #add(more: Buffer): void {
    this.#keep(more);
    const missing = this.#have < prefixBytes ? 1 : this.#wanted() - this.#have;
    if (missing > 0) return;
    const whole = Buffer.concat(this.#parts);
    this.#parts = [];
    this.#have = 0;
    const at = this.#cut(whole, 0, whole.length);
    if (at < whole.length) this.#keep(whole.subarray(at));
  }

  #keep(part: Buffer): void {
    // A copy, so that no chunk is kept for the sake of its tail.
    this.#parts.push(Buffer.from(part));
    this.#have += part.length;
  }

  #wanted(): number {
    if ((this.#parts[0] as Buffer).length < prefixBytes) this.#parts = [Buffer.concat(this.#parts)];
    return prefixBytes + (this.#parts[0] as Buffer).readUInt32BE(1);
  }

  /** Hands out whole messages; returns where the rest begins. */
  #cut(bytes: Buffer, start: number, end: number): number {
    let at = start;
    while (end - at >= prefixBytes) {
      const to = at + prefixBytes + bytes.readUInt32BE(at + 1);
      if (to > end) break;
      this.#onMessage(bytes.subarray(at + prefixBytes, to));
      at = to;
    }
    return at;
  }
}
