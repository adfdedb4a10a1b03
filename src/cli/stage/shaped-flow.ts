/**
 * Bytes from one socket to another, late, slowly or not at all, always in order. Looks at the shape
 * when bytes come, and when it is told that the shape has changed.
 */
import type net from "node:net";
import type { FlowShape } from "../../torture/ports.js";

/** So much waits at most; then the source is not read, and its sender has to wait. */
const waitingBytesMax = 256 * 1024;

interface Waiting {
  readonly chunk: Buffer;
  readonly atMs: number;
}

export class ShapedFlow {
  readonly #source: net.Socket;
  readonly #sink: net.Socket;
  readonly #shape: () => FlowShape | undefined;
  /** Draws from [0, below). */
  readonly #draw: (below: number) => number;
  readonly #waiting: Waiting[] = [];
  #waitingBytes = 0;
  /** No piece may pass one that came before it. */
  #lastMs = 0;
  /** When a link of that speed has sent everything so far. */
  #sentMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    source: net.Socket,
    sink: net.Socket,
    options: { shape(): FlowShape | undefined; draw(below: number): number },
  ) {
    this.#source = source;
    this.#sink = sink;
    this.#shape = () => options.shape();
    this.#draw = (below) => options.draw(below);
    sink.on("drain", () => this.#pass());
    source.on("close", () => clearTimeout(this.#timer));
    sink.on("close", () => clearTimeout(this.#timer));
  }

  /** Takes bytes of the source. */
  push(chunk: Buffer): void {
    this.#waiting.push({ chunk, atMs: this.#dueMs(chunk.length) });
    this.#waitingBytes += chunk.length;
    this.#pass();
    if (this.#waitingBytes > waitingBytesMax) this.#source.pause();
  }

  /** The shape is another one. What waits for its time goes on waiting, what is held does not. */
  changed(): void {
    this.#pass();
  }

  #dueMs(bytes: number): number {
    const nowMs = Date.now();
    const shape = this.#shape();
    if (shape === undefined) return Math.max(nowMs, this.#lastMs);
    const { delayMs = 0, stallPerMille = 0, stallMs = 0, bytesPerSecond } = shape;
    let dueMs = nowMs + delayMs;
    if (stallPerMille > this.#draw(1_000)) dueMs += stallMs;
    if (bytesPerSecond !== undefined) {
      this.#sentMs = Math.max(this.#sentMs, nowMs) + (bytes / bytesPerSecond) * 1_000;
      dueMs = Math.max(dueMs, this.#sentMs);
    }
    this.#lastMs = Math.max(this.#lastMs, dueMs);
    return this.#lastMs;
  }

  #pass(): void {
    clearTimeout(this.#timer);
    if (this.#sink.destroyed || this.#shape()?.isHeld === true) return;
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      const leftMs = first.atMs - Date.now();
      if (leftMs > 0) {
        this.#timer = setTimeout(() => this.#pass(), leftMs);
        return;
      }
      if (this.#sink.writableNeedDrain) return;
      this.#waiting.shift();
      this.#waitingBytes -= first.chunk.length;
      this.#sink.write(first.chunk);
      if (this.#waitingBytes <= waitingBytesMax && this.#source.isPaused()) this.#source.resume();
    }
  }
}
