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

export function unaryHandler(
  method: Method & { kind: "unary" },
  counters: MethodCounters,
  wallMs: WallMs | undefined,
): grpc.handleUnaryCall<Uint8Array, Uint8Array> {
  return (call, callback) => {
    counters.started++;
    counters.received++;
    method.handle(call.request, new GrpcJsUnary(call, callback, { counters, wallMs }));
  };
}

interface Surroundings {
  readonly counters: MethodCounters;
  readonly wallMs: WallMs | undefined;
}

class GrpcJsUnary implements UnaryCall {
  readonly #call: GrpcUnaryCall;
  readonly #surroundings: Surroundings;
  #callback: grpc.sendUnaryData<Uint8Array> | undefined;

  constructor(
    call: GrpcUnaryCall,
    callback: grpc.sendUnaryData<Uint8Array>,
    surroundings: Surroundings,
  ) {
    this.#call = call;
    this.#callback = callback;
    this.#surroundings = surroundings;
  }

  get timeoutMs(): number | undefined {
    return remainingMs(this.#call, this.#surroundings.wallMs);
  }

  metadata(name: string): string | undefined {
    return firstValue(this.#call.metadata, name);
  }

  respond(message: Uint8Array): void {
    const callback = this.#callback;
    if (callback === undefined) return;
    this.#callback = undefined;
    const { counters } = this.#surroundings;
    counters.sent++;
    countEnd(counters, 0);
    callback(null, message);
  }

  fail(status: Status): void {
    const callback = this.#callback;
    if (callback === undefined) return;
    this.#callback = undefined;
    countEnd(this.#surroundings.counters, status.code);
    callback({ code: status.code, details: status.message });
  }

  onCancel(fn: () => void): void {
    this.#call.once("cancelled", () => {
      if (this.#callback !== undefined) fn();
    });
  }
}

export function bidiHandler(
  method: Method & { kind: "bidi" | "serverStream" },
  counters: MethodCounters,
  wallMs: WallMs | undefined,
): grpc.handleBidiStreamingCall<Uint8Array, Uint8Array> {
  return (call) => {
    counters.started++;
    method.handle(new GrpcJsStream(call, { counters, wallMs }, undefined));
  };
}

export function serverStreamHandler(
  method: Method & { kind: "bidi" | "serverStream" },
  counters: MethodCounters,
  wallMs: WallMs | undefined,
): grpc.handleServerStreamingCall<Uint8Array, Uint8Array> {
  return (call) => {
    counters.started++;
    method.handle(new GrpcJsStream(call, { counters, wallMs }, call.request));
  };
}

class GrpcJsStream implements StreamCall {
  readonly #call: GrpcStreamCall | GrpcServerStreamCall;
  readonly #surroundings: Surroundings;
  /** The only message of a server stream. */
  readonly #request: Uint8Array | undefined;
  readonly #onCancel: (() => void)[] = [];
  #isOver = false;

  constructor(
    call: GrpcStreamCall | GrpcServerStreamCall,
    surroundings: Surroundings,
    request: Uint8Array | undefined,
  ) {
    this.#call = call;
    this.#surroundings = surroundings;
    this.#request = request;
    // grpc-js says so after every end, too.
    call.once("cancelled", () => {
      if (this.#isOver) return;
      this.#isOver = true;
      countEnd(surroundings.counters, Code.canceled);
      for (const fn of this.#onCancel.splice(0)) fn();
    });
  }

  get timeoutMs(): number | undefined {
    return remainingMs(this.#call, this.#surroundings.wallMs);
  }

  metadata(name: string): string | undefined {
    return firstValue(this.#call.metadata, name);
  }

  send(message: Uint8Array): boolean {
    if (this.#isOver) return false;
    this.#surroundings.counters.sent++;
    return this.#call.write(message);
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    countEnd(this.#surroundings.counters, 0);
    this.#call.end();
  }

  fail(status: Status): void {
    if (this.#isOver) return;
    this.#isOver = true;
    countEnd(this.#surroundings.counters, status.code);
    this.#call.emit("error", { code: status.code, details: status.message });
  }

  onCancel(fn: () => void): void {
    this.#onCancel.push(fn);
  }

  onDrain(fn: () => void): void {
    this.#call.on("drain", () => {
      if (!this.#isOver) fn();
    });
  }

  onMessage(fn: (message: Uint8Array) => void): void {
    const { counters } = this.#surroundings;
    const receive = (message: Uint8Array): void => {
      counters.received++;
      if (!this.#isOver) fn(message);
    };
    if (this.#request !== undefined) receive(this.#request);
    else (this.#call as GrpcStreamCall).on("data", receive);
  }

  onHalfClose(fn: () => void): void {
    if (this.#request !== undefined) fn();
    else {
      (this.#call as GrpcStreamCall).on("end", () => {
        if (!this.#isOver) fn();
      });
    }
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
