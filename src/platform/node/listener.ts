/**
 * The addresses where this process listens, TCP or Unix sockets, with or without TLS. The process
 * binds them before it can serve, so that it notices a mistake at the start. It closes connections
 * that come earlier at once, and their clients try elsewhere.
 */
import fs from "node:fs";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { StartError } from "../../base/errors.js";
import { Repeats } from "../../base/repeats.js";
import type { KeptCredentials } from "./tls/kept-credentials.js";
import type { Refusal } from "./tls/other-side.js";
import { TlsServerSide } from "./tls/server-side.js";

export type ListenAddress = { readonly isTls: boolean } & (
  | {
      readonly host: string;
      /** 0: any free one. */
      readonly port: number;
    }
  | { readonly socketPath: string }
);

export interface ListenOptions {
  readonly addresses: readonly ListenAddress[];
  /** Needed if one of the addresses has TLS. */
  readonly credentials: KeptCredentials | undefined;
  readonly alpn: readonly string[];
  /** A client that closes its side still gets its answers. */
  readonly allowsHalfOpen: boolean;
  /** The word in the log line "rejected connection on ... endpoint". */
  readonly endpoint: "client" | "peer" | "metrics";
  /** Several processes may listen on the same ports (SO_REUSEPORT). */
  readonly reusesPort: boolean;
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number;
  readonly log: (
    level: "debug" | "info" | "warn" | "error",
    message: string,
    fields: Readonly<Record<string, unknown>>,
  ) => void;
  /** Called for each connection that TLS refused. */
  readonly refused?: (refusal: Refusal, remoteAddress: string) => void;
}

const handshakeMs = 10_000;
const handshakesMax = 1_024;
const tcpKeepAliveMs = 15_000;
/** Milliseconds between two lines about refusals of one cause. */
const tellEveryMs = 60_000;

/** Binds all addresses or none. @throws StartError, or the system's error */
export async function openListener(options: ListenOptions): Promise<Listener> {
  if (options.reusesPort && !canReusePort()) {
    throw new StartError(
      `--socket-reuse-port needs Node.js 22.12 or newer; this is ${process.version}`,
    );
  }
  const listener = new Listener(options);
  try {
    for (const address of options.addresses) await listener.bind(address);
  } catch (error) {
    listener.close();
    throw error;
  }
  return listener;
}

function canReusePort(): boolean {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  return major > 22 || (major === 22 && minor >= 12);
}

export class Listener {
  readonly #options: ListenOptions;
  readonly #servers: Server[] = [];
  readonly #repeats = new Repeats(tellEveryMs);
  readonly #tls: TlsServerSide | undefined;
  #accept: ((socket: Socket) => void) | undefined;

  constructor(options: ListenOptions) {
    this.#options = options;
    const { addresses, credentials, alpn, endpoint } = options;
    if (!addresses.some(({ isTls }) => isTls)) return;
    if (credentials === undefined) {
      throw new StartError(`https:// addresses need a certificate and a key (${endpoint})`);
    }
    this.#tls = new TlsServerSide({
      kept: credentials,
      ...{ alpn, handshakeMs, handshakesMax },
      accepted: (socket) => this.#hand(socket),
      refused: (refusal, remote) => this.#refused(refusal, remote),
    });
  }

  /** The TCP addresses where it listens, in the order of the options. */
  get addresses(): readonly { readonly host: string; readonly port: number }[] {
    return this.#servers.flatMap((server) => {
      const bound = server.address();
      if (bound === null || typeof bound === "string") return [];
      const { address, port } = bound satisfies AddressInfo;
      return [{ host: address, port }];
    });
  }

  /** Serves the connections that come from now on: calls `fn` with each. */
  accept(fn: (socket: Socket) => void): void {
    this.#accept = fn;
  }

  /** @throws the system's error */
  bind(address: ListenAddress): Promise<void> {
    const { log, reusesPort, endpoint, allowsHalfOpen } = this.#options;
    const server = createServer(
      {
        allowHalfOpen: allowsHalfOpen,
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: tcpKeepAliveMs,
      },
      (socket) => {
        if (this.#accept === undefined) socket.destroy();
        else if (address.isTls) this.#tls?.take(socket);
        else this.#hand(socket);
      },
    );
    const place =
      "socketPath" in address
        ? { path: address.socketPath }
        : { host: address.host, port: address.port, ...(reusesPort ? { reusePort: true } : {}) };
    // A process that was killed leaves its socket's file behind.
    if ("socketPath" in address) fs.rmSync(address.socketPath, { force: true });
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(place, () => {
        server.off("error", reject);
        server.on("error", (error) =>
          log("warn", `cannot accept a connection on ${endpoint} endpoint`, {
            error: error.message,
          }),
        );
        this.#servers.push(server);
        resolve();
      });
    });
  }

  close(): void {
    for (const server of this.#servers) server.close();
  }

  #hand(socket: Socket): void {
    if (this.#accept === undefined) socket.destroy();
    else this.#accept(socket);
  }

  #refused(refusal: Refusal, remote: string): void {
    const { log, endpoint, now, refused } = this.#options;
    refused?.(refusal, remote);
    const held = this.#repeats.tell(refusal.cause, now());
    if (held === undefined) return;
    log("warn", `rejected connection on ${endpoint} endpoint`, {
      "remote-addr": remote,
      error: refusal.text,
      ...(held === 0 ? {} : { "more-since-last-time": held }),
    });
  }
}
