/** Adds spans to the calls of methods. Services do not see the spans. */
import { Code } from "../base/errors.js";
import type { CallSpan, Tracing } from "../platform/tracing.js";
import type { Call, MessagePieces, Method, Status, StreamCall, UnaryCall } from "./call.js";
import type { ClientCertificate } from "./client-certificate.js";

/** The same methods; each call begins a span of `tracing` and ends it with the call's status. */
export function tracedMethods(methods: readonly Method[], tracing: Tracing): Method[] {
  return methods.map((method) => {
    const spanOf = (call: Call): CallSpan =>
      tracing.begin(method.path, (name) => call.metadata(name));
    if (method.kind === "unary") {
      return {
        ...method,
        handle: (request, call) => {
          const span = spanOf(call);
          endIfItThrows(span, () => method.handle(request, new TracedUnaryCall(call, span)));
        },
      };
    }
    return {
      ...method,
      handle: (call: StreamCall) => {
        const span = spanOf(call);
        endIfItThrows(span, () => method.handle(new TracedStreamCall(call, span)));
      },
    };
  });
}

function endIfItThrows(span: CallSpan, handle: () => void): void {
  try {
    handle();
  } catch (error) {
    span.end(Code.internal, String(error));
    throw error;
  }
}

abstract class TracedCall<Inner extends Call> implements Call {
  protected readonly inner: Inner;
  protected readonly span: CallSpan;

  constructor(inner: Inner, span: CallSpan) {
    this.inner = inner;
    this.span = span;
    inner.onCancel(() => {
      if (inner.timeoutMs === 0) span.end(Code.deadlineExceeded, "context deadline exceeded");
      else span.end(Code.canceled, "context canceled");
    });
  }

  get certificate(): ClientCertificate | undefined {
    return this.inner.certificate;
  }

  get timeoutMs(): number | undefined {
    return this.inner.timeoutMs;
  }

  get connection(): object | undefined {
    return this.inner.connection;
  }

  metadata(name: string): string | undefined {
    return this.inner.metadata(name);
  }

  fail(status: Status): void {
    this.span.end(status.code, status.message);
    this.inner.fail(status);
  }

  onCancel(fn: () => void): void {
    this.inner.onCancel(fn);
  }
}

class TracedUnaryCall extends TracedCall<UnaryCall> implements UnaryCall {
  get isOver(): boolean {
    return this.inner.isOver;
  }

  respond(message: Uint8Array): void {
    this.span.end(0, "");
    this.inner.respond(message);
  }

  respondInPieces(message: MessagePieces): void {
    this.inner.respondInPieces({
      length: message.length,
      next: () => {
        const piece = message.next();
        // Without the last part the call is cancelled.
        if (piece === undefined) this.span.end(0, "");
        return piece;
      },
      close: () => message.close(),
    });
  }
}

class TracedStreamCall extends TracedCall<StreamCall> implements StreamCall {
  send(message: Uint8Array): boolean {
    return this.inner.send(message);
  }

  onDrain(fn: () => void): void {
    this.inner.onDrain(fn);
  }

  onMessage(fn: (message: Uint8Array) => void): void {
    this.inner.onMessage(fn);
  }

  onHalfClose(fn: () => void): void {
    this.inner.onHalfClose(fn);
  }

  end(): void {
    this.span.end(0, "");
    this.inner.end();
  }
}
