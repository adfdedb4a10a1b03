/**
 * Passes requests over HTTP/2 that are not gRPC to the same handler as those over HTTP/1. Each
 * becomes a request of Node's HTTP client on a connection in memory, whose other end Node's server
 * answers.
 */
import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { type Duplex, duplexPair } from "node:stream";
import { ErrorCode } from "./http2/constants.js";
import { HeaderFields } from "./http2/hpack/encoder.js";
import type { Http2Limits } from "./http2/limits.js";
import type { RequestHead } from "./http2/request-head.js";
import { type Http2Stream, ignoring, type StreamHandler } from "./http2/stream.js";

/** Fields that belong to a connection of HTTP/1 (RFC 9113, section 8.2.2). */
const connectionFields = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

type Guard = (run: () => void) => void;

/** The requests of one connection. */
export class HttpBridge {
  readonly #limits: Pick<Http2Limits, "streamWindow" | "httpRequestsMax">;
  readonly #accept: (connection: Duplex) => void;
  readonly #guard: Guard;
  #running = 0;

  /**
   * @param accept gets the server's end of each connection in memory
   * @param guard runs what later events bring, and owns what that throws
   */
  constructor(
    limits: Pick<Http2Limits, "streamWindow" | "httpRequestsMax">,
    accept: (connection: Duplex) => void,
    guard: Guard,
  ) {
    this.#limits = limits;
    this.#accept = accept;
    this.#guard = guard;
  }

  handle(stream: Http2Stream, head: RequestHead): StreamHandler {
    if (this.#running >= this.#limits.httpRequestsMax) {
      stream.reset(ErrorCode.refusedStream);
      return ignoring;
    }
    this.#running++;
    const { streamWindow } = this.#limits;
    const bridged = new BridgedRequest(stream, streamWindow, this.#guard, () => this.#running--);
    bridged.start(head, this.#accept);
    return bridged;
  }
}

class BridgedRequest implements StreamHandler {
  readonly #stream: Http2Stream;
  readonly #streamWindow: number;
  readonly #guard: Guard;
  readonly #onOver: () => void;
  #request: ClientRequest | undefined;
  #response: IncomingMessage | undefined;
  #isOver = false;

  constructor(stream: Http2Stream, streamWindow: number, guard: Guard, onOver: () => void) {
    this.#stream = stream;
    this.#streamWindow = streamWindow;
    this.#guard = guard;
    this.#onOver = onOver;
  }

  start(head: RequestHead, accept: (connection: Duplex) => void): void {
    if (head.method === "CONNECT" || head.path === "*") {
      this.#refuse("405");
      return;
    }
    const [ours, theirs] = duplexPair();
    try {
      this.#request = httpRequest({
        createConnection: () => ours,
        method: head.method,
        path: head.path,
        headers: [...headersOf(head)],
        setHost: false,
      });
    } catch {
      // Node refuses characters that HTTP/1 cannot carry.
      ours.destroy();
      this.#refuse("400");
      return;
    }
    ours.on("error", () => {});
    theirs.on("error", () => {});
    this.#request.on("error", () => this.#guard(() => this.#giveUp()));
    this.#request.on("response", (response) => this.#guard(() => this.#answer(response)));
    accept(theirs);
  }

  handleData(bytes: Buffer, start: number, end: number): void {
    const request = this.#request;
    if (request === undefined || this.#isOver) {
      this.#stream.grow(this.#streamWindow);
      return;
    }
    // The client may send more once this part was taken.
    const taken = (): void => this.#stream.grow(this.#streamWindow);
    request.write(bytes.subarray(start, end), () => this.#guard(taken));
  }

  handleEnd(): void {
    this.#request?.end();
  }

  handleReset(): void {
    this.#over();
    this.#request?.destroy();
  }

  handleDrain(): void {
    this.#response?.resume();
  }

  #answer(response: IncomingMessage): void {
    if (this.#isOver) return;
    this.#response = response;
    const fields = [":status", String(response.statusCode)];
    const { rawHeaders } = response;
    for (let at = 0; at < rawHeaders.length; at += 2) {
      const name = (rawHeaders[at] as string).toLowerCase();
      if (!connectionFields.has(name)) fields.push(name, rawHeaders[at + 1] as string);
    }
    this.#stream.sendHead(new HeaderFields(fields));
    response.on("data", (part: Buffer) =>
      this.#guard(() => {
        if (!this.#isOver && !this.#stream.send(part)) response.pause();
      }),
    );
    response.on("end", () =>
      this.#guard(() => {
        if (this.#over()) this.#stream.end(null);
      }),
    );
    response.on("error", () => this.#guard(() => this.#giveUp()));
  }

  #refuse(status: string): void {
    this.#over();
    this.#stream.sendHead(new HeaderFields([":status", status]));
    this.#stream.end(null);
  }

  #giveUp(): void {
    if (this.#over()) this.#stream.reset(ErrorCode.internalError);
  }

  /** False: the request was over before. */
  #over(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#onOver();
    return true;
  }
}

/** As Node's client takes them: name, value, name, value ... */
function* headersOf(head: RequestHead): Iterable<string> {
  yield "host";
  yield head.authority;
  const { fields } = head;
  for (let at = 0; at < fields.length; at += 2) {
    const name = fields[at] as string;
    if (name === "host" || name === "te" || name === "expect") continue;
    yield name;
    yield fields[at + 1] as string;
  }
  if (head.contentLength < 0 && head.method !== "GET" && head.method !== "HEAD") {
    yield "transfer-encoding";
    yield "chunked";
  }
}
