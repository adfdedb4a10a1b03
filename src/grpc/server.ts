/**
 * A server of gRPC over HTTP/2 and of plain HTTP on the same connections, with or without TLS.
 * Anybody can send it any bytes. It answers with an error or closes the connection, and never
 * throws.
 */
import {
  createServer as createHttpServer,
  type Server as HttpServer,
  type IncomingMessage,
  type RequestListener,
} from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { errorTable } from "../base/errors.js";
import { type EventClock, ownedEventClock, type Timer } from "../platform/clock.js";
import type { Method, Server, Status } from "./call.js";
import { CallCounters } from "./call-counters.js";
import { Deadlines } from "./calls/deadlines.js";
import { Routes } from "./calls/request-plan.js";
import type { OpenCall } from "./calls/server-call.js";
import { SharedBudget } from "./calls/shared-budget.js";
import { Connections } from "./connections.js";
import { defaultLimits, type Http2Limits } from "./http2/limits.js";
import { defaultKeepalive, type KeepaliveOptions } from "./http2/ping-policy.js";
import { type ConnectionParts, Http2Connection } from "./http2-connection.js";
import { plainAgain } from "./plain-again.js";
import { TurnEnd } from "./turn-end.js";

const [stoppedCode, stoppedText] = errorTable.stopped;
const statusOfStopped: Status = { code: stoppedCode, message: stoppedText };
const [internalCode, internalText] = errorTable.internal;
const statusOfInternal: Status = { code: internalCode, message: internalText };

/** Where connections come from: bound addresses, with TLS done where they have it. */
export interface SocketSource {
  readonly addresses: readonly { readonly host: string; readonly port: number }[];
  /** Calls `fn` with each connection from now on. Half of it may be closed before the other. */
  accept(fn: (socket: Socket) => void): void;
  /** Stops accepting. Connections that exist stay. */
  close(): void;
}

/** `head`: what the client sent behind its request. */
export type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

export interface ServerOptions {
  readonly listener: SocketSource;
  readonly methods: readonly Method[];
  readonly http: RequestListener;
  /**
   * Takes over HTTP/1 connections whose client asks for WebSocket. Absent: no such request is
   * taken.
   */
  readonly upgrade?: UpgradeListener;
  readonly clock: EventClock;
  /**
   * Gets what a service, `http` or the transport itself threw. Returns the status that ends the
   * call. Absent: the server logs the error and answers with an internal error.
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
  readonly limits?: Partial<Http2Limits>;
  readonly keepalive?: KeepaliveOptions;
}

/**
 * Takes connections of the listener until `close`. Does not throw: later errors go to `onError`
 * and the log.
 */
export function startServer(options: ServerOptions): Server {
  return new RunningServer(options);
}

/** Milliseconds between two looks for connections that have gone silent. */
const sweepMs = 1_000;

class RunningServer implements Server {
  readonly #options: ServerOptions;
  readonly #clock: EventClock;
  readonly #open = new Set<OpenCall>();
  readonly #http2 = new Set<Http2Connection>();
  readonly #connections: Connections;
  readonly #web: HttpServer;
  #sweepTimer: Timer | undefined;

  constructor(options: ServerOptions) {
    this.#options = options;
    const onError = options.onError ?? logging(options.log);
    this.#clock = ownedEventClock(options.clock, (fn) => () => {
      try {
        fn();
      } catch (error) {
        onError(error);
      }
    });
    const parts = this.#partsOf(onError);
    this.#connections = new Connections({
      http2: (socket) => this.#serveHttp2(socket, parts),
      http1: (socket) => this.#web.emit("connection", socket),
    });
    this.#web = createWebServer(this.#connections.counted(guarded(options.http, onError)));
    const { upgrade } = options;
    if (upgrade !== undefined)
      this.#web.on("upgrade", guardedUpgrade(this.#choose(upgrade), onError));
    options.listener.accept((socket) => this.#connections.accept(socket));
    this.#sweepLater();
  }

  /** The server accepts no offer but WebSocket. */
  #choose(upgrade: UpgradeListener): UpgradeListener {
    const again = (connection: Duplex): void => void this.#web.emit("connection", connection);
    return (request, socket, head) => {
      if (request.headers.upgrade?.toLowerCase() === "websocket") upgrade(request, socket, head);
      else plainAgain(request, socket, head, again);
    };
  }

  get addresses(): SocketSource["addresses"] {
    return this.#options.listener.addresses;
  }

  cut(): void {
    // Clients try elsewhere on this code, and give up on others.
    for (const call of [...this.#open]) call.cut(statusOfStopped);
  }

  async close(graceMs: number): Promise<void> {
    this.#options.listener.close();
    // These calls would outlast any grace period.
    for (const call of [...this.#open]) if (call.isStream) call.cut(statusOfStopped);
    for (const connection of this.#http2) connection.drain();
    const force = this.#clock.after(graceMs, () => this.#connections.destroy());
    if (graceMs === 0) this.#connections.destroy();
    await this.#connections.drain();
    force.cancel();
    this.#sweepTimer?.cancel();
    this.#web.close();
  }

  #serveHttp2(socket: Socket, parts: ConnectionParts): void {
    const connection = new Http2Connection(socket, parts);
    this.#http2.add(connection);
    socket.once("close", () => this.#http2.delete(connection));
  }

  #partsOf(onError: (error: unknown) => Status): ConnectionParts {
    const { maxReceiveBytes, methods } = this.#options;
    const clock = this.#clock;
    const limits = { ...defaultLimits, ...this.#options.limits };
    return {
      clock,
      turnEnd: new TurnEnd(clock),
      deadlines: new Deadlines(clock),
      routes: new Routes(methods, this.#options.counters ?? new CallCounters()),
      limits,
      keepalive: this.#options.keepalive ?? defaultKeepalive,
      maxReceiveBytes,
      open: this.#open,
      shared: new SharedBudget(limits),
      onError,
      http1: (connection) => this.#web.emit("connection", connection),
    };
  }

  #sweepLater(): void {
    const clock = this.#clock;
    this.#sweepTimer = clock.after(sweepMs, () => {
      this.#sweepLater();
      const nowMs = clock.now();
      for (const connection of this.#http2) connection.sweep(nowMs);
    });
  }
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

function guardedUpgrade(
  listener: UpgradeListener,
  onError: (error: unknown) => unknown,
): UpgradeListener {
  return (request, socket, head) => {
    try {
      listener(request, socket, head);
    } catch (error) {
      socket.destroy();
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
