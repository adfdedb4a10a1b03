/** A call with one message each way. */
import { Code } from "../../base/errors.js";
import type { MessagePieces, UnaryCall } from "../call.js";
import { prefixBytes } from "./message-reader.js";
import { ServerCall } from "./server-call.js";
import { answerHead, okTrailers } from "./status.js";

export class UnaryServerCall extends ServerCall implements UnaryCall {
  #request: Uint8Array | undefined;
  #isStarted = false;
  #pieces: MessagePieces | undefined;

  /** Nearly every request is one message in one frame. */
  override handleData(bytes: Buffer, start: number, end: number): void {
    const isOne =
      this.#request === undefined &&
      end - start >= prefixBytes &&
      bytes[start] === 0 &&
      bytes.readUInt32BE(start + 1) === end - start - prefixBytes &&
      end - start - prefixBytes <= this.surroundings.rules.bytesMax;
    if (isOne && !this.isAmid) this.#request = bytes.subarray(start + prefixBytes, end);
    else super.handleData(bytes, start, end);
  }

  handleMessage(message: Uint8Array): void {
    if (this.#request === undefined) {
      this.#request = message;
      return;
    }
    const text = "grpc: a unary call has exactly one message, the client sent more";
    this.fail({ code: Code.internal, message: text });
  }

  /** Only now is it known that the message was the only one. */
  handleEnd(): void {
    if (this.isOver || !this.isWhole()) return;
    if (this.#request === undefined) {
      const text = "grpc: a unary call has exactly one message, the client sent none";
      this.fail({ code: Code.internal, message: text });
    } else {
      this.surroundings.queue.add(this);
    }
  }

  handleDrain(): void {
    if (!this.isOver) this.guard(() => this.#sendPieces());
  }

  protected override over(code: number): boolean {
    if (!super.over(code)) return false;
    const pieces = this.#pieces;
    this.#pieces = undefined;
    pieces?.close();
    if (this.#isStarted) this.surroundings.queue.ended();
    else this.surroundings.queue.remove(this);
    return true;
  }

  respond(message: Uint8Array): void {
    if (this.isOver) return;
    if (!this.surroundings.mayWait(message.length)) {
      const text = "grpc: too many answers wait for this client to read them";
      this.fail({ code: Code.resourceExhausted, message: text });
      return;
    }
    this.over(0);
    this.surroundings.queue.answered(message.length);
    const { counters } = this.route;
    counters.sent++;
    counters.sentBytes += message.length;
    this.stream.answer(answerHead, message, okTrailers);
  }

  respondInPieces(message: MessagePieces): void {
    if (this.isOver) {
      message.close();
      return;
    }
    this.#pieces = message;
    const { counters } = this.route;
    counters.sent++;
    counters.sentBytes += message.length;
    const prefix = Buffer.alloc(prefixBytes);
    prefix.writeUInt32BE(message.length, 1);
    this.stream.sendHead(answerHead);
    if (this.stream.send(prefix)) this.#sendPieces();
  }

  /** Sends parts until the transport is full, then the end. */
  #sendPieces(): void {
    for (;;) {
      const pieces = this.#pieces;
      if (pieces === undefined) return;
      const piece = pieces.next();
      if (piece === undefined) break;
      if (!this.stream.send(piece)) return;
    }
    const { length } = this.#pieces as MessagePieces;
    this.over(0);
    this.surroundings.queue.answered(length);
    this.stream.end(okTrailers);
  }

  start(): void {
    const { method, counters } = this.route;
    const request = this.#request;
    if (this.isOver || method.kind !== "unary" || request === undefined) return;
    this.#request = undefined;
    this.#isStarted = true;
    counters.started++;
    counters.received++;
    counters.receivedBytes += request.length;
    try {
      method.handle(request, this);
    } catch (error) {
      this.failOn(error);
    }
  }
}
