/**
 * A call that did not come over gRPC and HTTP/2, but from the JSON gateway or from a service of
 * this server that uses another one. Its service sees no difference.
 */
import { Code } from "../../base/errors.js";
import type { Clock } from "../../platform/clock.js";
import type { Call, MessagePieces, Method, Status, StreamCall, UnaryCall } from "../call.js";
import type { MethodCounters } from "../call-counters.js";
import type { Deadlines, Timed } from "../calls/deadlines.js";
import type { ClientCertificate } from "../client-certificate.js";

/** What a caller gives besides its messages. */
export interface LocalRequest {
  /** First value of a metadata key (lower case). */
  readonly metadata: (name: string) => string | undefined;
  /** Milliseconds; undefined: the caller waits for ever. */
  readonly timeoutMs: number | undefined;
  /** That of the client for whom the caller acts. */
  readonly certificate?: ClientCertificate | undefined;
}

/** Gets the answers. No function here may throw. */
export interface LocalSink {
  /** False: wait for `drained` before the next one. */
  message(message: Uint8Array): boolean;
  /** Called once, last. Undefined: status OK. */
  end(status: Status | undefined): void;
}

export interface LocalSurroundings {
  readonly deadlines: Deadlines;
  readonly clock: Clock;
  /** Gets what a service threw. Returns the status that ends the call. */
  readonly onError: (error: unknown) => Status;
}

const deadlineExceeded: Status = {
  code: Code.deadlineExceeded,
  message: "context deadline exceeded",
};

/** Bytes of an answer in parts that are copied in one turn. */
const gatheredInTurn = 1024 * 1024;

abstract class LocalCall implements Call, Timed {
  readonly dueMs: number;
  isOver = false;
  protected readonly sink: LocalSink;
  protected readonly counters: MethodCounters;
  readonly #request: LocalRequest;
  readonly #startedMs: number;
  protected readonly surroundings: LocalSurroundings;
  readonly #onCancel: (() => void)[] = [];

  constructor(
    request: LocalRequest,
    sink: LocalSink,
    counters: MethodCounters,
    surroundings: LocalSurroundings,
  ) {
    this.#request = request;
    this.sink = sink;
    this.counters = counters;
    this.surroundings = surroundings;
    this.#startedMs = surroundings.clock.now();
    this.dueMs =
      request.timeoutMs === undefined
        ? Number.POSITIVE_INFINITY
        : this.#startedMs + request.timeoutMs;
    if (request.timeoutMs !== undefined) surroundings.deadlines.add(this);
    counters.started++;
  }

  get timeoutMs(): number | undefined {
    if (this.dueMs === Number.POSITIVE_INFINITY) return undefined;
    return Math.max(0, this.dueMs - this.surroundings.clock.now());
  }

  get certificate(): ClientCertificate | undefined {
    return this.#request.certificate;
  }

  metadata(name: string): string | undefined {
    return this.#request.metadata(name);
  }

  fail(status: Status): void {
    if (this.over(status.code)) this.sink.end(status);
  }

  onCancel(fn: () => void): void {
    this.#onCancel.push(fn);
  }

  handleDeadline(): void {
    this.#cut(deadlineExceeded);
  }

  /** The caller wants no further answers. */
  cancel(): void {
    if (this.over(Code.canceled)) this.#tellCancel();
  }

  /** Runs code of the service. An error of it ends the call. */
  protected guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#cut(this.surroundings.onError(error));
    }
  }

  protected received(message: Uint8Array): void {
    this.counters.received++;
    this.counters.receivedBytes += message.length;
  }

  protected sent(message: Uint8Array): void {
    this.counters.sent++;
    this.counters.sentBytes += message.length;
  }

  /** False: the call was over before. */
  protected over(code: number): boolean {
    if (this.isOver) return false;
    this.isOver = true;
    const { handled, handling } = this.counters;
    handled[code] = (handled[code] ?? 0) + 1;
    handling.observe((this.surroundings.clock.now() - this.#startedMs) / 1_000);
    if (this.#request.timeoutMs !== undefined) this.surroundings.deadlines.remove(this);
    return true;
  }

  #cut(status: Status): void {
    if (!this.over(status.code)) return;
    this.sink.end(status);
    this.#tellCancel();
  }

  #tellCancel(): void {
    for (const fn of this.#onCancel.splice(0)) this.guard(fn);
  }
}

/** A call with one request and one answer, made inside this process. */
export class LocalUnaryCall extends LocalCall implements UnaryCall {
  start(method: Method & { kind: "unary" }, message: Uint8Array): void {
    this.received(message);
    this.guard(() => method.handle(message, this));
  }

  respond(message: Uint8Array): void {
    if (!this.over(0)) return;
    this.sent(message);
    this.sink.message(message);
    this.sink.end(undefined);
  }

  /** Gathers the parts over several turns, so that other work goes on in between. */
  respondInPieces(pieces: MessagePieces): void {
    const whole = Buffer.allocUnsafe(pieces.length);
    let filled = 0;
    let isClosed = false;
    const close = (): void => {
      if (!isClosed) pieces.close();
      isClosed = true;
    };
    this.onCancel(close);
    const gather = (): void => {
      if (isClosed) return;
      for (const turnEnd = filled + gatheredInTurn; filled < turnEnd; ) {
        const piece = pieces.next();
        if (piece === undefined) {
          close();
          this.respond(whole);
          return;
        }
        whole.set(piece, filled);
        filled += piece.length;
      }
      this.surroundings.clock.after(0, () => this.guard(gather));
    };
    this.guard(gather);
  }
}

/**
 * The caller writes with `write`, ends its side with `halfClose`, and reports that it reads again
 * with `drained`.
 */
export class LocalStreamCall extends LocalCall implements StreamCall {
  readonly #early: Uint8Array[] = [];
  #isHalfClosed = false;
  #onMessage: ((message: Uint8Array) => void) | undefined;
  #onHalfClose: (() => void) | undefined;
  #onDrain: (() => void) | undefined;

  start(method: Exclude<Method, { kind: "unary" }>): void {
    this.guard(() => method.handle(this));
  }

  write(message: Uint8Array): void {
    if (this.isOver) return;
    this.received(message);
    const fn = this.#onMessage;
    if (fn === undefined) this.#early.push(message);
    else this.guard(() => fn(message));
  }

  halfClose(): void {
    this.#isHalfClosed = true;
    this.#tellHalfClose();
  }

  drained(): void {
    const fn = this.#onDrain;
    if (!this.isOver && fn !== undefined) this.guard(fn);
  }

  send(message: Uint8Array): boolean {
    if (this.isOver) return false;
    this.sent(message);
    return this.sink.message(message);
  }

  end(): void {
    if (this.over(0)) this.sink.end(undefined);
  }

  onDrain(fn: () => void): void {
    this.#onDrain = fn;
  }

  onMessage(fn: (message: Uint8Array) => void): void {
    this.#onMessage = fn;
    for (const message of this.#early.splice(0)) this.guard(() => fn(message));
  }

  onHalfClose(fn: () => void): void {
    this.#onHalfClose = fn;
    this.#tellHalfClose();
  }

  #tellHalfClose(): void {
    const fn = this.#onHalfClose;
    if (!this.#isHalfClosed || fn === undefined || this.isOver) return;
    this.#onHalfClose = undefined;
    this.guard(fn);
  }
}
