/**
 * A server on @grpc/grpc-js: gRPC and plain HTTP/1.1 on one port, without TLS. What arrives is bytes
 * from anyone: whatever it is, the answer is an error or a closed connection, never an exception.
 */
import { createServer as createHttpServer, type RequestListener } from "node:http";
import type { Socket } from "node:net";
import {
  type AddressInfo,
  createServer as createNetServer,
  type Server as NetServer,
} from "node:net";
import * as grpc from "@grpc/grpc-js";
import { Code } from "../base/errors.js";
import type { Method, Server } from "./call.js";
import { CallCounters } from "./call-counters.js";
import { sniff } from "./connection-sniffer.js";
import { bidiHandler, serverStreamHandler, unaryHandler, type WallMs } from "./grpc-js-calls.js";

export interface ServerOptions {
  /** Port 0: any free one. */
  readonly listen: readonly { readonly host: string; readonly port: number }[];
  readonly methods: readonly Method[];
  readonly http: RequestListener;
  /** Largest request message; a larger one is refused with ResourceExhausted. */
  readonly maxReceiveBytes: number;
  readonly log: (
    level: "debug" | "info" | "warn" | "error",
    message: string,
    fields?: Readonly<Record<string, unknown>>,
  ) => void;
  readonly counters?: CallCounters;
  /** Milliseconds since the epoch; without it calls do not know their `timeoutMs`. */
  readonly wallMs?: WallMs;
}

/** @throws the system's error if an address cannot be bound: then none is. */
export async function startServer(options: ServerOptions): Promise<Server> {
  const rpc = createGrpcServer(options);
  const injector = rpc.createConnectionInjector(grpc.ServerCredentials.createInsecure());
  const web = createHttpServer(options.http);
  // It never listens itself, and only then would its limits on slow requests begin to be watched.
  web.emit("listening");
  web.on("clientError", (_error, socket) => {
    if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    else socket.destroy();
  });
  const connections = new Connections({
    http2: (socket) => {
      // A client that closes its side will read no answer either.
      socket.allowHalfOpen = false;
      injector.injectConnection(socket);
    },
    http1: (socket) => web.emit("connection", socket),
  });
  const listeners: NetServer[] = [];
  try {
    for (const address of options.listen) {
      listeners.push(await listen(address, connections, options.log));
    }
  } catch (error) {
    for (const listener of listeners) listener.close();
    throw error;
  }
  const addresses = listeners.map((listener) => {
    const { address, port } = listener.address() as AddressInfo;
    return { host: address, port };
  });
  return {
    addresses,
    close: (graceMs) => {
      for (const listener of listeners) listener.close();
      injector.drain(graceMs);
      return connections.close(graceMs).then(() => {
        rpc.forceShutdown();
        web.close();
      });
    },
  };
}

/** Every open socket, whoever speaks on it now. */
class Connections {
  readonly #open = new Set<Socket>();
  readonly #http1 = new Set<Socket>();
  readonly #protocols: { http2(socket: Socket): void; http1(socket: Socket): void };
  #isClosing = false;
  #whenEmpty: (() => void) | undefined;

  constructor(protocols: { http2(socket: Socket): void; http1(socket: Socket): void }) {
    this.#protocols = protocols;
  }

  accept(socket: Socket): void {
    if (this.#isClosing) {
      socket.destroy();
      return;
    }
    this.#open.add(socket);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => {
      this.#open.delete(socket);
      this.#http1.delete(socket);
      if (this.#open.size === 0) this.#whenEmpty?.();
    });
    sniff(socket, {
      http2: this.#protocols.http2,
      http1: (ready) => {
        this.#http1.add(ready);
        this.#protocols.http1(ready);
      },
    });
  }

  /** HTTP/2 sessions are closed by their own server; here all else is. */
  close(graceMs: number): Promise<void> {
    this.#isClosing = true;
    for (const socket of this.#http1) {
      // A request that runs may still be answered.
      if (graceMs > 0) socket.setTimeout(graceMs, () => socket.destroy());
      else socket.destroy();
    }
    return new Promise((resolve) => {
      this.#whenEmpty = resolve;
      if (this.#open.size === 0) resolve();
    });
  }
}

function listen(
  address: { readonly host: string; readonly port: number },
  connections: Connections,
  log: ServerOptions["log"],
): Promise<NetServer> {
  return new Promise((resolve, reject) => {
    const listener = createNetServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
      connections.accept(socket),
    );
    listener.once("error", reject);
    listener.listen({ host: address.host, port: address.port }, () => {
      listener.off("error", reject);
      listener.on("error", (error) =>
        log("warn", "cannot accept a connection", { error: error.message }),
      );
      resolve(listener);
    });
  });
}

function createGrpcServer(options: ServerOptions): grpc.Server {
  const server = new grpc.Server({
    "grpc.max_receive_message_length": options.maxReceiveBytes,
    "grpc.max_send_message_length": -1,
    "grpc.enable_channelz": 0,
  });
  const counters = options.counters ?? new CallCounters();
  const { wallMs } = options;
  for (const method of options.methods) {
    const { path } = method;
    const count = counters.of(method);
    if (method.kind === "unary") {
      server.register(path, unaryHandler(method, count, wallMs), toBuffer, asIs, "unary");
    } else if (method.kind === "bidi") {
      server.register(path, bidiHandler(method, count, wallMs), toBuffer, asIs, "bidi");
    } else {
      const handler = serverStreamHandler(method, count, wallMs);
      server.register(path, handler, toBuffer, asIs, "serverStream");
    }
  }
  refuseUnknown(server, new Set(options.methods.map(({ path }) => serviceOf(path))));
  return server;
}

interface Handler {
  readonly func: grpc.handleBidiStreamingCall<Uint8Array, Uint8Array>;
  readonly serialize: (value: Uint8Array) => Buffer;
  readonly deserialize: (bytes: Buffer) => Uint8Array;
  readonly type: "bidi";
  readonly path: string;
}

/** grpc-js has its own words for a method it does not know; etcd's clients expect grpc-go's. */
function refuseUnknown(server: grpc.Server, services: ReadonlySet<string>): void {
  const inside = server as unknown as { _retrieveHandler(path: string): Handler | null };
  const retrieve = inside._retrieveHandler.bind(server);
  inside._retrieveHandler = (path) =>
    retrieve(path) ?? {
      func: (call) => {
        const details = unknownText(path, services);
        call.emit("error", { code: Code.unimplemented, details });
      },
      serialize: toBuffer,
      deserialize: asIs,
      type: "bidi",
      path,
    };
}

function unknownText(path: string, services: ReadonlySet<string>): string {
  const service = serviceOf(path);
  const method = path.slice(path.lastIndexOf("/") + 1);
  if (path.lastIndexOf("/") < 1) return `malformed method name: "${path}"`;
  return services.has(service)
    ? `unknown method ${method} for service ${service}`
    : `unknown service ${service}`;
}

function serviceOf(path: string): string {
  return path.slice(1, Math.max(1, path.lastIndexOf("/")));
}

function toBuffer(message: Uint8Array): Buffer {
  return Buffer.isBuffer(message)
    ? message
    : Buffer.from(message.buffer, message.byteOffset, message.length);
}

function asIs(bytes: Buffer): Uint8Array {
  return bytes;
}
