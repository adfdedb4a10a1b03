/**
 * Passes bytes from one socket to another, late, slowly or not at all, always in order. It reads
 * the shape when bytes come, and when `changed` is called.
 */
import type net from "node:net";
import type { FlowShape } from "../../torture/ports.js";

/** The most bytes that wait here. With more the source is not read, so its sender has to wait. */
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
  /** When the last piece leaves. No later piece may leave before it. */
  #lastMs = 0;
  /** When a link of that speed will have sent everything so far. */
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

  /**
   * Call when the shape has changed. Delayed bytes still wait for their time; held bytes go out if
   * the new shape lets them.
   */
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
