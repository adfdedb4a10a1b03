/**
 * Calls of the gateway over WebSocket, as etcd offers them: a GET on a path of the gateway that
 * asks for the upgrade. Each text message of the client is one JSON object; each message of the
 * server is one answer. A token comes as the subprotocols "Bearer, TOKEN", because a browser cannot
 * set headers.
 */
import { type IncomingMessage, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { Code } from "../base/errors.js";
import { type BridgeOutput, CallBridge, jsonBytesMax } from "./call-bridge.js";
import type { Gateway, GatewayRpc } from "./gateway.js";
import { httpStatusOf } from "./http-status.js";
import { requestOf } from "./request-metadata.js";

/** Bytes that may wait in memory for a client that reads slowly. */
const waitingBytesHigh = 1024 * 1024;
const normalClosure = 1000;

export interface UpgradeRefusal {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** @param refusalOf why a request's host, origin or certificate may not be served; undefined: it may */
export function webSockets(
  gateway: Gateway,
  refusalOf: (request: IncomingMessage) => UpgradeRefusal | undefined,
): (request: IncomingMessage, socket: Duplex, head: Buffer) => void {
  const server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: jsonBytesMax(gateway.parts.requestBytesMax),
    handleProtocols: (protocols) => (protocols.has("Bearer") ? "Bearer" : false),
  });
  return (request, socket, head) => {
    socket.on("error", () => socket.destroy());
    const path = (request.url ?? "").replace(/\?.*$/, "");
    const rpc = gateway.isFor(path) ? gateway.rpcFor(path) : notFound;
    const refusal = refusalOf(request);
    if (refusal !== undefined) {
      socket.end(answerText(refusal));
      return;
    }
    if ("code" in rpc) {
      socket.end(`HTTP/1.1 ${httpStatusOf(rpc)} ${rpc.message}\r\nConnection: close\r\n\r\n`);
      return;
    }
    server.handleUpgrade(request, socket, head, (webSocket) =>
      serve(gateway, rpc, request, webSocket),
    );
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
): void {
  webSocket.on("error", () => webSocket.terminate());
  const [, token] = (request.headers["sec-websocket-protocol"] ?? "").split(/, */);
  const authorization = token ?? request.headers.authorization;
  const { "grpc-timeout": _ignored, ...headers } = request.headers;
  const all = authorization === undefined ? headers : { ...headers, authorization };
  const local = requestOf(all, request.socket);
  const output = new SocketOutput(webSocket, () => bridge.drained());
  const bridge = new CallBridge(gateway.parts, rpc.path, rpc.messages, local, output);
  webSocket.on("message", (data: Buffer) => bridge.receive(data));
  webSocket.on("close", () => bridge.cancel());
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
