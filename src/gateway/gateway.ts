/**
 * etcd's JSON gateway: every RPC as a POST with a JSON body, streams as lines of JSON. It turns
 * requests into calls of the services that gRPC's clients use, too, so the same rules hold.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { Code } from "../base/errors.js";
import type { Status } from "../grpc/call.js";
import type { LocalRequest } from "../grpc/local/local-call.js";
import { type BridgeOutput, type BridgeParts, CallBridge, jsonBytesMax } from "./call-bridge.js";
import { type RpcMessages, rpcMessages } from "./descriptors.js";
import { HeldBytes } from "./held-bytes.js";
import { errorBody, httpStatusOf } from "./http-status.js";
import { requestOf } from "./request-metadata.js";
import { isGatewayPath, rpcOf } from "./routes.js";

/** How many of the largest requests may be half received at a time, summed over all clients. */
const halfSentMax = 32;

export interface GatewayRpc {
  readonly path: string;
  readonly messages: RpcMessages;
}

export class Gateway {
  readonly parts: BridgeParts;
  readonly #messages = rpcMessages();
  readonly held: HeldBytes;

  constructor(parts: BridgeParts) {
    this.parts = parts;
    this.held = new HeldBytes(halfSentMax * jsonBytesMax(parts.requestBytesMax));
  }

  /** The RPC behind a path without a query, or why there is none. */
  rpcFor(path: string): GatewayRpc | Status {
    const rpc = rpcOf(path);
    const messages = rpc === undefined ? undefined : this.#messages.get(rpc);
    if (rpc === undefined) return { code: Code.notFound, message: "Not Found" };
    if (messages === undefined || this.parts.server.kindOf(rpc) === undefined) {
      return { code: Code.unimplemented, message: `${rpc} is not implemented` };
    }
    return { path: rpc, messages };
  }

  isFor(url: string): boolean {
    return isGatewayPath(url);
  }

  /**
   * Answers a request for one of these paths.
   *
   * @param headers of every answer
   */
  handle(
    request: IncomingMessage,
    response: ServerResponse,
    headers: Readonly<Record<string, string>>,
  ): void {
    const output = new HttpOutput(request, response, headers);
    const rpc = this.rpcFor((request.url ?? "").replace(/\?.*$/, ""));
    if ("code" in rpc) {
      output.refuse(rpc, errorBody(rpc));
    } else if (request.method !== "POST") {
      const status = { code: Code.unimplemented, message: "Method Not Allowed" };
      output.refuse(status, errorBody(status));
    } else {
      try {
        this.#call(rpc, requestOf(request.headers, request.socket), request, response, output);
        return;
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        const status = { code: Code.invalidArgument, message };
        output.refuse(status, errorBody(status));
      }
    }
    request.resume();
  }

  #call(
    rpc: GatewayRpc,
    local: LocalRequest,
    request: IncomingMessage,
    response: ServerResponse,
    output: HttpOutput,
  ): void {
    const bridge = new CallBridge(this.parts, rpc.path, rpc.messages, local, output);
    const hold = this.held.share();
    request.on("data", (part: Buffer) => {
      bridge.receive(part);
      if (hold(bridge.heldBytes)) return;
      hold(0);
      bridge.cancel();
      output.refuse(tooBusy, errorBody(tooBusy));
    });
    request.on("end", () => bridge.inputEnded());
    request.on("error", () => bridge.cancel());
    response.on("drain", () => bridge.drained());
    response.on("close", () => {
      hold(0);
      bridge.cancel();
    });
  }
}

export const tooBusy: Status = { code: Code.unavailable, message: "etcdserver: too many requests" };

/** Writes to a response of Node. An answer in one piece gets a Content-Length. */
class HttpOutput implements BridgeOutput {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #headers: Readonly<Record<string, string>>;
  #held: string | undefined;
  #hasBegun = false;

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    headers: Readonly<Record<string, string>>,
  ) {
    this.#request = request;
    this.#response = response;
    this.#headers = headers;
    response.on("error", () => response.destroy());
  }

  /** Lines of a stream must go out at once; a unary answer ends right behind its last piece. */
  write(text: string, isLast: boolean): boolean {
    this.#begin(200);
    const isLine = isLast && text.endsWith("\n");
    const now = isLine ? (this.#held ?? "") + text : this.#held;
    this.#held = isLine ? undefined : text;
    return now === undefined || this.#response.write(now);
  }

  wantsInput(isWanted: boolean): void {
    if (isWanted) this.#request.resume();
    else this.#request.pause();
  }

  end(): void {
    this.#begin(200);
    this.#response.end(this.#held);
  }

  refuse(status: Status, body: string): void {
    this.#begin(httpStatusOf(status));
    this.#response.end(body);
  }

  #begin(status: number): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    this.#response.statusCode = status;
    for (const [name, value] of Object.entries(this.#headers))
      this.#response.setHeader(name, value);
    this.#response.setHeader("Content-Type", "application/json");
    if (status === 200) this.#response.setHeader("Grpc-Metadata-Content-Type", "application/grpc");
  }
}
