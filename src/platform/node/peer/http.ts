/**
 * HTTP on the peer address. A connection that begins with the name of an HTTP method is passed
 * here, with the bytes read so far. Each connection carries one request of a few bytes.
 */
import http from "node:http";
import type net from "node:net";
import type { NetworkHandler } from "../../network.js";
import { type CallbackFailed, owned } from "./owned.js";

const bodyBytesMax = 64 * 1024;
const methods = ["GET ", "HEAD ", "POST ", "PUT ", "DELETE ", "OPTIONS ", "PATCH "];

/** "maybe": more bytes are needed to tell. */
export function isHttp(start: string): boolean | "maybe" {
  if (methods.some((method) => start.startsWith(method))) return true;
  return methods.some((method) => method.startsWith(start)) ? "maybe" : false;
}

export class PeerHttp {
  readonly #server: http.Server;

  constructor(handler: Pick<NetworkHandler, "page">, failed: CallbackFailed) {
    this.#server = http.createServer({ keepAlive: false }, (request, response) => {
      let body = "";
      request.setEncoding("utf8");
      request.on("data", (chunk: string) => {
        body += chunk;
        if (body.length > bodyBytesMax) request.destroy();
      });
      const lost: CallbackFailed = (error) => {
        response.destroy();
        failed(error);
      };
      const answer = (): void => {
        const [path = ""] = (request.url ?? "").split("?", 1);
        const given = request.headers["x-etcd-cluster-id"];
        const clusterId = typeof given === "string" ? given : undefined;
        handler.page({ method: request.method ?? "", path, clusterId, body }, (page) => {
          const length = Buffer.byteLength(page.body);
          response.writeHead(page.status, {
            ...page.headers,
            "Content-Length": length,
            Connection: "close",
          });
          response.end(page.body);
        });
      };
      // Node's parser runs these listeners, not the socket.
      request.on("end", owned(answer, lost));
    });
  }

  /** `head` holds the bytes read so far. */
  accept(socket: net.Socket, head: Buffer): void {
    socket.pause();
    socket.unshift(head);
    this.#server.emit("connection", socket);
    socket.resume();
  }
}
