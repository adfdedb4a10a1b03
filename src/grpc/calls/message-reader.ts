/**
 * Cuts the body of a request into messages ("gRPC over HTTP/2", Length-Prefixed-Message). It passes
 * on a message that lies in one frame without a copy. It joins a message that comes in pieces. The
 * memory for it grows with what has come, not with the announced length.
 */
import { gunzipSync } from "node:zlib";
import { Code } from "../../base/errors.js";
import type { Status } from "../call.js";
import type { Http2Stream } from "../http2/stream.js";
import type { LargeMessage, MessageBudget } from "./message-budget.js";

/** Octets before each message: one of flags, four of length, big-endian. */
export const prefixBytes = 5;
const firstBytes = 1_024;

export interface MessageSink {
  handleMessage(message: Uint8Array): void;
  /** The call cannot go on; its client broke a rule. */
  handleFault(status: Status): void;
}

export interface MessageRules {
  /** The most octets of a message, also after decompression. */
  readonly bytesMax: number;
  /** Octets of a message that a client may send before it has leave to go on. */
  readonly streamWindow: number;
  readonly budget: MessageBudget;
}

export class MessageReader implements LargeMessage {
  readonly #stream: Http2Stream;
  readonly #sink: MessageSink;
  readonly #rules: MessageRules;
  readonly #isGzip: boolean;
  readonly #prefix = Buffer.alloc(prefixBytes);
  #prefixHave = 0;
  /** The octets of the message behind the prefix. The buffer grows up to `bytes`. */
  #body: Buffer = none;
  #have = 0;
  /** Announced by the prefix. */
  bytes = 0;
  #leave: "none" | "asked" | "given" = "none";
  #isOver = false;

  constructor(stream: Http2Stream, sink: MessageSink, rules: MessageRules, isGzip: boolean) {
    this.#stream = stream;
    this.#sink = sink;
    this.#rules = rules;
    this.#isGzip = isGzip;
  }

  /** True while a message has begun and is not complete. */
  get isAmid(): boolean {
    return this.#prefixHave > 0;
  }

  read(bytes: Buffer, start: number, end: number): void {
    let at = start;
    while (at < end && !this.#isOver) {
      if (this.#prefixHave < prefixBytes) {
        at = this.#readPrefix(bytes, at, end);
        if (this.#prefixHave < prefixBytes || this.#isOver) break;
      }
      if (at < end || this.bytes === 0) at = this.#readBody(bytes, at, end);
    }
    if (this.#isOver) return;
    if (this.isAmid) this.#goOn();
    else this.#stream.grow(this.#rules.streamWindow);
  }

  /** Reads nothing more and frees its memory. */
  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#letGo();
  }

  onLeave(): void {
    this.#leave = "given";
    this.#rules.budget.hold(-this.#have);
    this.#goOn();
  }

  #readPrefix(bytes: Buffer, start: number, end: number): number {
    const to = Math.min(end, start + prefixBytes - this.#prefixHave);
    bytes.copy(this.#prefix, this.#prefixHave, start, to);
    this.#prefixHave += to - start;
    if (this.#prefixHave < prefixBytes) return to;
    this.bytes = this.#prefix.readUInt32BE(1);
    const flag = this.#prefix[0] as number;
    const { bytesMax } = this.#rules;
    if (flag > 1) this.#fault(Code.internal, `grpc: received unexpected payload format ${flag}`);
    else if (this.bytes > bytesMax) {
      const text = `grpc: received message larger than max (${this.bytes} vs. ${bytesMax})`;
      this.#fault(Code.resourceExhausted, text);
    } else if (flag === 1 && !this.#isGzip) {
      this.#fault(Code.internal, "grpc: compressed flag set with identity or empty encoding");
    }
    return to;
  }

  #readBody(bytes: Buffer, start: number, end: number): number {
    const missing = this.bytes - this.#have;
    if (this.#have === 0 && end - start >= missing) {
      this.#complete(bytes.subarray(start, start + missing));
      return start + missing;
    }
    const to = Math.min(end, start + missing);
    this.#append(bytes, start, to);
    if (this.#have === this.bytes && !this.#isOver) this.#complete(this.#body);
    return to;
  }

  #append(bytes: Buffer, start: number, end: number): void {
    const wanted = this.#have + end - start;
    if (this.#body.length < wanted) {
      const length = Math.min(this.bytes, Math.max(firstBytes, wanted, 2 * this.#body.length));
      const grown = Buffer.allocUnsafeSlow(length);
      this.#body.copy(grown, 0, 0, this.#have);
      this.#body = grown;
    }
    bytes.copy(this.#body, this.#have, start, end);
    this.#have = wanted;
    if (this.#leave !== "given" && !this.#rules.budget.hold(end - start)) {
      const text = "grpc: too many unfinished messages on this connection";
      this.#fault(Code.resourceExhausted, text);
    }
  }

  #complete(message: Uint8Array): void {
    const isCompressed = this.#prefix[0] === 1;
    this.#letGo();
    const plain = isCompressed ? this.#gunzip(message) : message;
    if (plain !== undefined) this.#sink.handleMessage(plain);
  }

  #gunzip(message: Uint8Array): Uint8Array | undefined {
    const { bytesMax } = this.#rules;
    try {
      return gunzipSync(message, { maxOutputLength: bytesMax });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") {
        const text = `grpc: received message after decompression larger than max ${bytesMax}`;
        this.#fault(Code.resourceExhausted, text);
      } else {
        const text = `grpc: failed to decompress the received message: ${(error as Error).message}`;
        this.#fault(Code.internal, text);
      }
      return undefined;
    }
  }

  /** The rest of the message must have room to come. */
  #goOn(): void {
    const { streamWindow, budget } = this.#rules;
    const missing = this.bytes - this.#have;
    const isLarge = this.#prefixHave === prefixBytes && this.bytes > streamWindow;
    if (!isLarge) {
      this.#stream.grow(streamWindow);
    } else if (this.#leave === "given") {
      this.#stream.grow(Math.max(streamWindow, missing));
    } else if (this.#leave === "none") {
      this.#leave = "asked";
      budget.ask(this);
    }
  }

  #fault(code: Code, message: string): void {
    this.close();
    this.#sink.handleFault({ code, message });
  }

  #letGo(): void {
    const { budget } = this.#rules;
    if (this.#leave !== "given") budget.hold(-this.#have);
    if (this.#leave !== "none") budget.release(this, this.#leave === "given");
    this.#leave = "none";
    this.#prefixHave = 0;
    this.#body = none;
    this.#have = 0;
  }
}

const none = Buffer.alloc(0);
