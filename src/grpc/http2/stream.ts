/**
 * One stream: a request and its answer. Handlers use the methods; the fields are the session's and
 * the sender's.
 */
import type { HeaderFields } from "./hpack/encoder.js";

/** Gets what a client sends on a stream. After `handleReset` no method is called. */
export interface StreamHandler {
  /** A part of the body: `bytes` from `start` to `end`, whose bytes stay as they are. */
  handleData(bytes: Buffer, start: number, end: number): void;
  /** The request is complete. */
  handleEnd(): void;
  /** The client gave up, broke a rule or is gone. */
  handleReset(): void;
  /** The stream has room again after a `send` that returned false. */
  handleDrain(): void;
}

/** What streams need of their session. */
export interface StreamOwner {
  head(stream: Http2Stream, fields: HeaderFields): void;
  data(stream: Http2Stream, payload: Uint8Array, isMessage: boolean): boolean;
  end(stream: Http2Stream, trailers: HeaderFields | null): void;
  answer(
    stream: Http2Stream,
    head: HeaderFields,
    message: Uint8Array,
    trailers: HeaderFields,
  ): void;
  reset(stream: Http2Stream, code: number): void;
  grow(stream: Http2Stream, window: number): void;
}

const noPieces: readonly never[] = [];

export class Http2Stream {
  readonly id: number;
  readonly #owner: StreamOwner;
  handler: StreamHandler = ignoring;
  /** The stream sends and receives nothing more. */
  isClosed = false;

  receiveWindow: number;
  isRemoteClosed = false;
  /** Octets that are still to come by content-length; -1: there was none. */
  bodyLeft = -1;

  sendWindow: number;
  isHeadSent = false;
  /** END_STREAM was sent. */
  isLocalClosed = false;
  /** Undefined: not ended yet; null: ends without trailers. */
  trailers: HeaderFields | null | undefined = undefined;
  /** Output that waits for the peer's windows, or for the peer to read. */
  pieces: Uint8Array[] = noPieces as unknown as Uint8Array[];
  firstPiece = 0;
  firstPieceAt = 0;
  queuedBytes = 0;
  /**
   * If the answer is complete before the request, the client must stop sending (RFC 9113, section
   * 8.1).
   */
  resetsAtEnd = false;
  /** True while the stream waits in the sender's line. */
  isInLine = false;
  /** True while the handler has been told to stop sending. */
  isFull = false;

  constructor(id: number, owner: StreamOwner, receiveWindow: number, sendWindow: number) {
    this.id = id;
    this.#owner = owner;
    this.receiveWindow = receiveWindow;
    this.sendWindow = sendWindow;
  }

  /** The answer's first fields, `:status` first. */
  sendHead(fields: HeaderFields): void {
    if (!this.isClosed) this.#owner.head(this, fields);
  }

  /** Queues a part of the answer, which must not change any more. False: stop until `handleDrain`. */
  send(payload: Uint8Array): boolean {
    return !this.isClosed && this.#owner.data(this, payload, false);
  }

  /** The same with gRPC's five octets before it: not compressed, and the length. */
  sendMessage(message: Uint8Array): boolean {
    return !this.isClosed && this.#owner.data(this, message, true);
  }

  /** Ends the answer after all queued parts. */
  end(trailers: HeaderFields | null): void {
    if (!this.isClosed) this.#owner.end(this, trailers);
  }

  /** Head, one message and trailers. */
  answer(head: HeaderFields, message: Uint8Array, trailers: HeaderFields): void {
    if (!this.isClosed) this.#owner.answer(this, head, message, trailers);
  }

  /** Drops queued output. The handler hears nothing more. */
  reset(code: number): void {
    if (!this.isClosed) this.#owner.reset(this, code);
  }

  /** Lets the client send up to `window` octets, if it may send less than half of that. */
  grow(window: number): void {
    if (this.receiveWindow * 2 <= window && !this.isRemoteClosed && !this.isClosed) {
      this.#owner.grow(this, window);
    }
  }
}

/** The handler of a stream that has none yet, or none any more. */
export const ignoring: StreamHandler = {
  handleData: () => {},
  handleEnd: () => {},
  handleReset: () => {},
  handleDrain: () => {},
};
