/**
 * Calls of the gateway over WebSocket, as etcd offers them: a GET on a path of the gateway that
 * asks for the upgrade. Each text message of the client is one JSON object; each message of the
 * server is one answer. A token comes as the subprotocols "Bearer, TOKEN", because a browser cannot
 * set headers.
 */
import { type IncomingMessage, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { type ServerOptions, type WebSocket, WebSocketServer } from "ws";
import { Code } from "../base/errors.js";
import { Repeats } from "../base/repeats.js";
import { type BridgeOutput, CallBridge, jsonBytesMax } from "./call-bridge.js";
import { type Gateway, type GatewayRpc, tooBusy } from "./gateway.js";
import { httpStatusOf } from "./http-status.js";
import { requestOf } from "./request-metadata.js";

/** Bytes that may wait in memory for a client that reads slowly. */
const waitingBytesHigh = 1024 * 1024;
const normalClosure = 1000;
const policyViolation = 1008;
const tryAgainLater = 1013;
/** How long a client has to answer the server's close frame. What it held is held until then. */
const closeTimeoutMs = 2_000;
/** Bytes of a client's control frame besides its payload. */
const controlBytes = 6;

/** Milliseconds between two tellings of one cause. */
const tellEveryMs = 60_000;

/** Why the server ended a socket: something that the client did. */
export interface EndedSocket {
  readonly reason: string;
  /** How many more ended for this cause since it was told last. */
  readonly heldBack: number;
  readonly request: IncomingMessage;
}

export interface UpgradeRefusal {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * @param refusalOf why a request's target, host, origin or certificate may not be served; undefined: it
 * may. May set the request's URL.
 */
export function webSockets(
  gateway: Gateway,
  refusalOf: (request: IncomingMessage) => UpgradeRefusal | undefined,
  onEnded: (ended: EndedSocket) => void,
): (request: IncomingMessage, socket: Duplex, head: Buffer) => void {
  // The package's types lack closeTimeout.
  const options: ServerOptions & { readonly closeTimeout: number } = {
    noServer: true,
    perMessageDeflate: false,
    autoPong: false,
    closeTimeout: closeTimeoutMs,
    maxPayload: jsonBytesMax(gateway.parts.requestBytesMax),
    handleProtocols: (protocols) => (protocols.has("Bearer") ? "Bearer" : false),
  };
  const server = new WebSocketServer(options);
  const repeats = new Repeats(tellEveryMs);
  return (request, socket, head) => {
    socket.on("error", () => socket.destroy());
    const refuse = (text: string): void => {
      // A client that never closes its side would keep the connection.
      socket.end(text, () => socket.destroy());
    };
    const refusal = refusalOf(request);
    if (refusal !== undefined) {
      refuse(answerText(refusal));
      return;
    }
    const path = (request.url ?? "").replace(/\?.*$/, "");
    const rpc = gateway.isFor(path) ? gateway.rpcFor(path) : notFound;
    if ("code" in rpc) {
      refuse(`HTTP/1.1 ${httpStatusOf(rpc)} ${rpc.message}\r\nConnection: close\r\n\r\n`);
      return;
    }
    server.handleUpgrade(request, socket, head, (webSocket) => {
      const bridge = serve(gateway, rpc, request, webSocket);
      const end = (reason: string, cause: string): void => {
        bridge.cancel();
        const heldBack = repeats.tell(cause, gateway.parts.clock.now());
        if (heldBack !== undefined) onEnded({ reason, heldBack, request });
      };
      // The package has sent the close frame, and drops what still comes. Messages hold the client's
      // numbers; codes are few.
      webSocket.on("error", (error: NodeJS.ErrnoException) =>
        end(error.message, error.code ?? "unknown"),
      );
      const cut = (code: number, reason: string): void => {
        if (webSocket.readyState !== webSocket.OPEN) return;
        end(reason, reason);
        webSocket.close(code, reason);
        webSocket.terminate();
      };
      answerPings(webSocket, () => cut(policyViolation, "pings whose pongs are not read"));
      limitHeld(gateway, bridge, request.socket, webSocket, () =>
        cut(tryAgainLater, tooBusy.message),
      );
    });
  };
}

/** As HTTP/1.1 has it on the wire. */
function answerText({ status, headers, body }: UpgradeRefusal): string {
  const length = Buffer.byteLength(body);
  const all = { ...headers, "Content-Length": length, Connection: "close" };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n${lines.join("")}\r\n${body}`;
}

const notFound = { code: Code.notFound, message: "Not Found" };

function serve(
  gateway: Gateway,
  rpc: GatewayRpc,
  request: IncomingMessage,
  webSocket: WebSocket,
): CallBridge {
  const [, token] = (request.headers["sec-websocket-protocol"] ?? "").split(/, */);
  const authorization = token ?? request.headers.authorization;
  const { "grpc-timeout": _ignored, ...headers } = request.headers;
  const all = authorization === undefined ? headers : { ...headers, authorization };
  const local = requestOf(all, request.socket);
  const output = new SocketOutput(webSocket, () => bridge.drained());
  const bridge = new CallBridge(gateway.parts, rpc.path, rpc.messages, local, output);
  webSocket.on("message", (data: Buffer) => bridge.receive(data));
  webSocket.on("close", () => bridge.cancel());
  return bridge;
}

function answerPings(webSocket: WebSocket, onTooMany: () => void): void {
  webSocket.on("ping", (data: Buffer) => {
    if (webSocket.bufferedAmount > waitingBytesHigh) onTooMany();
    else webSocket.pong(data);
  });
}

/**
 * Counts what has come of a message that is not whole, which the package holds and does not tell, and
 * what the bridge holds of an object that is not whole.
 */
function limitHeld(
  gateway: Gateway,
  bridge: CallBridge,
  socket: Duplex,
  webSocket: WebSocket,
  onTooMuch: () => void,
): void {
  const hold = gateway.held.share();
  let bytes = 0;
  const setTo = (next: number): boolean => {
    bytes = Math.max(0, next);
    return hold(bytes + bridge.heldBytes);
  };
  const control = (data: Buffer): boolean => setTo(bytes - data.length - controlBytes);
  webSocket.on("ping", control);
  webSocket.on("pong", control);
  webSocket.on("message", () => {
    if (!setTo(0)) onTooMuch();
  });
  webSocket.on("close", () => hold(0));
  // Before the package sees them, so that a message that ends in them sets the count to zero.
  socket.prependListener("data", (part: Buffer) => {
    if (webSocket.readyState === webSocket.OPEN && !setTo(bytes + part.length)) onTooMuch();
  });
}

class SocketOutput implements BridgeOutput {
  readonly #socket: WebSocket;
  readonly #onDrain: () => void;
  #isBlocked = false;

  constructor(socket: WebSocket, onDrain: () => void) {
    this.#socket = socket;
    this.#onDrain = onDrain;
  }

  write(text: string, isLast: boolean): boolean {
    const piece = isLast ? text.replace(/\n$/, "") : text;
    this.#socket.send(piece, { fin: isLast, binary: false }, () => this.#sent());
    this.#isBlocked = this.#socket.bufferedAmount > waitingBytesHigh;
    return !this.#isBlocked;
  }

  wantsInput(isWanted: boolean): void {
    if (isWanted) this.#socket.resume();
    else this.#socket.pause();
  }

  end(): void {
    this.#socket.close(normalClosure);
  }

  refuse(_status: unknown, body: string): void {
    this.write(body, true);
    this.end();
  }

  #sent(): void {
    if (!this.#isBlocked || this.#socket.bufferedAmount > waitingBytesHigh) return;
    this.#isBlocked = false;
    this.#onDrain();
  }
}
