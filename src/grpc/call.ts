/**
 * What a service sees of a call: bytes in, bytes out. No transport appears here, so that the one
 * below can change (see docs/decisions/). Messages are protobuf bodies without gRPC's 5-byte prefix.
 */
import type { Code } from "../base/errors.js";
import type { ClientCertificate } from "./client-certificate.js";

/** How a call ends: gRPC's code and the text for the client. */
export interface Status {
  readonly code: Code;
  readonly message: string;
}

export interface Call {
  /** First value of a request metadata key (lower case), or undefined. */
  metadata(name: string): string | undefined;
  /** Set if the handshake verified a certificate of the client. */
  readonly certificate?: ClientCertificate | undefined;
  /** Milliseconds that the client still waits (grpc-timeout). Undefined: for ever. */
  readonly timeoutMs: number | undefined;
  /** Ends the call without a further message, or with an error. Later calls are ignored. */
  fail(status: Status): void;
  /** `fn` runs once when the client goes away or cancels before the end, or its time is over. */
  onCancel(fn: () => void): void;
  /** The same object for all calls of a connection. */
  readonly connection?: object | undefined;
}

/** A large answer that is handed to the transport as fast as the client reads it. */
export interface MessagePieces {
  /** Bytes of the whole message. */
  readonly length: number;
  /** The next part; undefined at the end. It must not change any more. */
  next(): Uint8Array | undefined;
  /** Called once: all parts were taken, or the call is over. */
  close(): void;
}

export interface UnaryCall extends Call {
  /** True if the call has ended or its client gave up: nobody would read an answer. */
  readonly isOver: boolean;
  /** Answers and ends with status OK. Ignored after the end. */
  respond(message: Uint8Array): void;
  /** The same with a large message. */
  respondInPieces(message: MessagePieces): void;
}

export interface StreamCall extends Call {
  /**
   * Queues one message. Returns false when the transport's buffer is above its high-water mark:
   * stop sending until `onDrain`.
   */
  send(message: Uint8Array): boolean;
  onDrain(fn: () => void): void;
  onMessage(fn: (message: Uint8Array) => void): void;
  /** The client will send no more. */
  onHalfClose(fn: () => void): void;
  /** Ends with status OK. */
  end(): void;
}

/** One RPC. `path` is as on the wire: "/etcdserverpb.KV/Range". A server stream gets one message. */
export type Method =
  | {
      readonly path: string;
      readonly kind: "unary";
      readonly handle: (request: Uint8Array, call: UnaryCall) => void;
    }
  | {
      readonly path: string;
      readonly kind: "serverStream" | "bidi";
      readonly handle: (call: StreamCall) => void;
    };

/** A listening server: gRPC and plain HTTP on one port. */
export interface Server {
  /** The bound addresses, host and port. */
  readonly addresses: readonly { readonly host: string; readonly port: number }[];
  /** Ends all calls that are not answered yet: nobody will answer them. */
  cut(): void;
  /** Refuses new calls, ends streams, lets running unary calls finish for `graceMs`, then closes everything. */
  close(graceMs: number): Promise<void>;
}
