/** A call with many messages from the server, and one or many from the client. */
import type { StreamCall } from "../call.js";
import { ServerCall } from "./server-call.js";
import { answerHead, okTrailers } from "./status.js";

export class StreamServerCall extends ServerCall implements StreamCall {
  #onMessage: ((message: Uint8Array) => void) | undefined;
  #onHalfClose: (() => void) | undefined;
  #onDrain: (() => void) | undefined;
  /** What came before the service listened. */
  #early: Uint8Array[] | undefined;
  #isHalfClosed = false;

  start(): void {
    const { method, counters } = this.route;
    counters.started++;
    if (method.kind !== "unary") this.guard(() => method.handle(this));
  }

  send(message: Uint8Array): boolean {
    if (this.isOver) return false;
    const { counters } = this.route;
    counters.sent++;
    counters.sentBytes += message.length;
    if (!this.stream.isHeadSent) this.stream.sendHead(answerHead);
    return this.stream.sendMessage(message);
  }

  end(): void {
    if (!this.over(0)) return;
    if (!this.stream.isHeadSent) this.stream.sendHead(answerHead);
    this.stream.end(okTrailers);
  }

  onDrain(fn: () => void): void {
    this.#onDrain = fn;
  }

  onHalfClose(fn: () => void): void {
    this.#onHalfClose = fn;
    this.#tellHalfClose();
  }

  onMessage(fn: (message: Uint8Array) => void): void {
    this.#onMessage = fn;
    const early = this.#early;
    this.#early = undefined;
    for (const message of early ?? []) this.#tellMessage(message);
  }

  handleMessage(message: Uint8Array): void {
    const { counters } = this.route;
    counters.received++;
    counters.receivedBytes += message.length;
    if (this.#onMessage !== undefined) {
      this.#tellMessage(message);
      return;
    }
    this.#early ??= [];
    this.#early.push(message);
  }

  handleEnd(): void {
    if (this.isOver || !this.isWhole()) return;
    this.#isHalfClosed = true;
    this.#tellHalfClose();
  }

  handleDrain(): void {
    if (!this.isOver && this.#onDrain !== undefined) this.guard(this.#onDrain);
  }

  #tellMessage(message: Uint8Array): void {
    if (this.isOver) return;
    try {
      this.#onMessage?.(message);
    } catch (error) {
      this.failOn(error);
    }
  }

  #tellHalfClose(): void {
    const fn = this.#onHalfClose;
    if (!this.#isHalfClosed || fn === undefined || this.isOver) return;
    this.#onHalfClose = undefined;
    this.guard(fn);
  }
}
