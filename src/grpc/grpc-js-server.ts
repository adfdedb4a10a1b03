/**
 * A server on @grpc/grpc-js: gRPC and plain HTTP/1.1 on one port, without TLS. What arrives is bytes
 * from anyone: whatever it is, the answer is an error or a closed connection, never an exception.
 */
import {
  createServer as createHttpServer,
  type Server as HttpServer,
  type RequestListener,
} from "node:http";
import {
  type AddressInfo,
  createServer as createNetServer,
  type Server as NetServer,
} from "node:net";
import * as grpc from "@grpc/grpc-js";
import { Code, errorTable } from "../base/errors.js";
import type { Method, Server, Status } from "./call.js";
import { CallCounters } from "./call-counters.js";
import { Connections } from "./connections.js";
import {
  bidiHandler,
  type CallSurroundings,
  type OpenCall,
  serverStreamHandler,
  unaryHandler,
  type WallMs,
} from "./grpc-js-calls.js";

/**
 * Streams that a client may reset on one connection: at once, and from then on each second. @grpc/grpc-js
 * before 1.10 resets each call that has ended, so Node's default (1,000 and 33) closes its connection
 * after a thousand quick calls. Node 20 does not know these options.
 */
const resets = { streamResetBurst: 20_000, streamResetRate: 10_000 };

const [stoppedCode, stoppedText] = errorTable.stopped;
const statusOfStopped: Status = { code: stoppedCode, message: stoppedText };
const [internalCode, internalText] = errorTable.internal;
const statusOfInternal: Status = { code: internalCode, message: internalText };

export interface ServerOptions {
  /** Port 0: any free one. */
  readonly listen: readonly { readonly host: string; readonly port: number }[];
  readonly methods: readonly Method[];
  readonly http: RequestListener;
  /**
   * Told what a service or `http` threw; returns what that call is answered. Without it the error is
   * logged and the call is answered with an internal error.
   */
  readonly onError?: (error: unknown) => Status;
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
  const onError = options.onError ?? logging(options.log);
  const open = new Set<OpenCall>();
  const rpc = createGrpcServer(options, { onError, open });
  const injector = rpc.createConnectionInjector(grpc.ServerCredentials.createInsecure());
  const connections = new Connections({
    http2: (socket) => {
      // A client that closes its side will read no answer either.
      socket.allowHalfOpen = false;
      injector.injectConnection(socket);
    },
    http1: (socket) => web.emit("connection", socket),
  });
  const web = createWebServer(connections.counted(guarded(options.http, onError)));
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
    // Clients try elsewhere on this code, and give up on others.
    cut: () => {
      for (const call of [...open]) call.cut(statusOfStopped);
    },
    close: async (graceMs) => {
      for (const listener of listeners) listener.close();
      // They would outlast any grace.
      for (const call of [...open]) if (call.isStream) call.cut(statusOfStopped);
      const closed = connections.close(graceMs);
      // A close without grace comes before the end of this one.
      injector.drain(2 * graceMs);
      await closed;
      rpc.forceShutdown();
      web.close();
    },
  };
}

/** HTTP/1 on connections that come by its "connection" event. */
function createWebServer(listener: RequestListener): HttpServer {
  const web = createHttpServer(listener);
  // It never listens itself, and only then would its limits on slow requests begin to be watched.
  web.emit("listening");
  web.on("clientError", (_error, socket) => {
    if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    else socket.destroy();
  });
  return web;
}

function guarded(listener: RequestListener, onError: (error: unknown) => unknown): RequestListener {
  return (request, response) => {
    try {
      listener(request, response);
    } catch (error) {
      if (!response.headersSent) response.writeHead(500);
      response.end();
      onError(error);
    }
  };
}

function logging(log: ServerOptions["log"]): (error: unknown) => Status {
  return (error) => {
    log("error", "a request failed on an internal error", { error: String(error) });
    return statusOfInternal;
  };
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

function createGrpcServer(
  options: ServerOptions,
  shared: Pick<CallSurroundings, "onError" | "open">,
): grpc.Server {
  const server = new grpc.Server({
    "grpc.max_receive_message_length": options.maxReceiveBytes,
    "grpc.max_send_message_length": -1,
    "grpc.enable_channelz": 0,
  });
  const inside = server as unknown as { readonly commonServerOptions: object };
  Object.assign(inside.commonServerOptions, resets);
  const counters = options.counters ?? new CallCounters();
  const { wallMs } = options;
  for (const method of options.methods) {
    const { path } = method;
    const surroundings = { ...shared, wallMs, counters: counters.of(method) };
    if (method.kind === "unary") {
      server.register(path, unaryHandler(method, surroundings), toBuffer, asIs, "unary");
    } else if (method.kind === "bidi") {
      server.register(path, bidiHandler(method, surroundings), toBuffer, asIs, "bidi");
    } else {
      const handler = serverStreamHandler(method, surroundings);
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
