/**
 * Calls of @grpc/grpc-js as the services see calls (call.ts): bytes in, bytes out. An ended call
 * ignores whatever still comes from its service.
 */
import type * as grpc from "@grpc/grpc-js";
import { Code } from "../base/errors.js";
import type { Method, Status, StreamCall, UnaryCall } from "./call.js";
import type { MethodCounters } from "./call-counters.js";

type GrpcUnaryCall = grpc.ServerUnaryCall<Uint8Array, Uint8Array>;
type GrpcStreamCall = grpc.ServerDuplexStream<Uint8Array, Uint8Array>;
type GrpcServerStreamCall = grpc.ServerWritableStream<Uint8Array, Uint8Array>;
/** Milliseconds since the epoch, by which deadlines are given. */
export type WallMs = () => number;

/** What a call has to do with besides its client. */
export interface CallSurroundings {
  readonly counters: MethodCounters;
  readonly wallMs: WallMs | undefined;
  /** Told what a service threw; returns what that call is answered. */
  readonly onError: (error: unknown) => Status;
  /** Every call that has not ended. */
  readonly open: Set<OpenCall>;
}
export interface OpenCall {
  readonly isStream: boolean;
  /** Ends it from the server's side: for its service as if the client had gone. */
  cut(status: Status): void;
}

export function unaryHandler(
  method: Method & { kind: "unary" },
  surroundings: CallSurroundings,
): grpc.handleUnaryCall<Uint8Array, Uint8Array> {
  const { counters } = surroundings;
  return (call, callback) => {
    const { request } = call;
    counters.started++;
    counters.received++;
    counters.receivedBytes += request.length;
    const unary = new GrpcJsUnary(call, callback, surroundings);
    unary.guard(() => method.handle(request, unary));
  };
}

class GrpcJsUnary implements UnaryCall, OpenCall {
  readonly isStream = false;
  readonly #call: GrpcUnaryCall;
  readonly #surroundings: CallSurroundings;
  readonly #onCancel: (() => void)[] = [];
  #callback: grpc.sendUnaryData<Uint8Array> | undefined;

  constructor(
    call: GrpcUnaryCall,
    callback: grpc.sendUnaryData<Uint8Array>,
    surroundings: CallSurroundings,
  ) {
    this.#call = call;
    this.#callback = callback;
    this.#surroundings = surroundings;
    surroundings.open.add(this);
    call.once("cancelled", () => {
      surroundings.open.delete(this);
      if (this.#callback !== undefined) this.#tellCancel();
    });
  }

  /** Runs what the service does; what it throws ends the call. */
  guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.fail(this.#surroundings.onError(error));
    }
  }

  cut(status: Status): void {
    if (this.#callback === undefined) return;
    this.fail(status);
    this.#tellCancel();
  }

  get timeoutMs(): number | undefined {
    return remainingMs(this.#call, this.#surroundings.wallMs);
  }

  metadata(name: string): string | undefined {
    return firstValue(this.#call.metadata, name);
  }

  respond(message: Uint8Array): void {
    const callback = this.#over();
    if (callback === undefined) return;
    const { counters } = this.#surroundings;
    counters.sent++;
    counters.sentBytes += message.length;
    countEnd(counters, 0);
    callback(null, message);
  }

  fail(status: Status): void {
    const callback = this.#over();
    if (callback === undefined) return;
    countEnd(this.#surroundings.counters, status.code);
    callback({ code: status.code, details: status.message });
  }

  onCancel(fn: () => void): void {
    this.#onCancel.push(fn);
  }

  /** Undefined: it was over before. */
  #over(): grpc.sendUnaryData<Uint8Array> | undefined {
    const callback = this.#callback;
    this.#callback = undefined;
    if (callback !== undefined) this.#surroundings.open.delete(this);
    return callback;
  }

  #tellCancel(): void {
    for (const fn of this.#onCancel.splice(0)) this.guard(fn);
  }
}

export function bidiHandler(
  method: Method & { kind: "bidi" | "serverStream" },
  surroundings: CallSurroundings,
): grpc.handleBidiStreamingCall<Uint8Array, Uint8Array> {
  return (call) => {
    const stream = new GrpcJsStream(call, surroundings, undefined);
    stream.guard(() => method.handle(stream));
  };
}

export function serverStreamHandler(
  method: Method & { kind: "bidi" | "serverStream" },
  surroundings: CallSurroundings,
): grpc.handleServerStreamingCall<Uint8Array, Uint8Array> {
  return (call) => {
    const stream = new GrpcJsStream(call, surroundings, call.request);
    stream.guard(() => method.handle(stream));
  };
}

class GrpcJsStream implements StreamCall, OpenCall {
  readonly isStream = true;
  readonly #call: GrpcStreamCall | GrpcServerStreamCall;
  readonly #surroundings: CallSurroundings;
  /** The only message of a server stream. */
  readonly #request: Uint8Array | undefined;
  readonly #onCancel: (() => void)[] = [];
  #isOver = false;

  constructor(
    call: GrpcStreamCall | GrpcServerStreamCall,
    surroundings: CallSurroundings,
    request: Uint8Array | undefined,
  ) {
    this.#call = call;
    this.#surroundings = surroundings;
    this.#request = request;
    surroundings.counters.started++;
    surroundings.open.add(this);
    // grpc-js says so after every end, too.
    call.once("cancelled", () => {
      if (this.#over(Code.canceled)) this.#tellCancel();
    });
  }

  /** Runs what the service does; what it throws ends the call, for the service as if the client had gone. */
  guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.cut(this.#surroundings.onError(error));
    }
  }

  cut(status: Status): void {
    if (this.#isOver) return;
    this.fail(status);
    this.#tellCancel();
  }

  get timeoutMs(): number | undefined {
    return remainingMs(this.#call, this.#surroundings.wallMs);
  }

  metadata(name: string): string | undefined {
    return firstValue(this.#call.metadata, name);
  }

  send(message: Uint8Array): boolean {
    if (this.#isOver) return false;
    const { counters } = this.#surroundings;
    counters.sent++;
    counters.sentBytes += message.length;
    return this.#call.write(message);
  }

  end(): void {
    if (this.#over(0)) this.#call.end();
  }

  fail(status: Status): void {
    if (!this.#over(status.code)) return;
    this.#call.emit("error", { code: status.code, details: status.message });
  }

  onCancel(fn: () => void): void {
    this.#onCancel.push(fn);
  }

  onDrain(fn: () => void): void {
    this.#call.on("drain", () => {
      if (!this.#isOver) this.guard(fn);
    });
  }

  onMessage(fn: (message: Uint8Array) => void): void {
    const { counters } = this.#surroundings;
    const receive = (message: Uint8Array): void => {
      counters.received++;
      counters.receivedBytes += message.length;
      if (!this.#isOver) this.guard(() => fn(message));
    };
    if (this.#request !== undefined) receive(this.#request);
    else (this.#call as GrpcStreamCall).on("data", receive);
  }

  onHalfClose(fn: () => void): void {
    if (this.#request !== undefined) this.guard(fn);
    else {
      (this.#call as GrpcStreamCall).on("end", () => {
        if (!this.#isOver) this.guard(fn);
      });
    }
  }

  /** False: it was over before. */
  #over(code: number): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    const { counters, open } = this.#surroundings;
    open.delete(this);
    countEnd(counters, code);
    return true;
  }

  #tellCancel(): void {
    for (const fn of this.#onCancel.splice(0)) this.guard(fn);
  }
}

function countEnd(counters: MethodCounters, code: number): void {
  counters.handled[code] = (counters.handled[code] ?? 0) + 1;
}

function firstValue(metadata: grpc.Metadata, name: string): string | undefined {
  const value = metadata.get(name)[0];
  return value === undefined || typeof value === "string" ? value : value.toString("latin1");
}

function remainingMs(
  call: { getDeadline(): Date | number },
  wallMs: WallMs | undefined,
): number | undefined {
  const deadline = Number(call.getDeadline());
  if (wallMs === undefined || !Number.isFinite(deadline)) return undefined;
  return Math.max(0, deadline - wallMs());
}
