/**
 * TLS on accepted connections. A listener hands sockets in, and gets those back whose client has
 * proven what the settings ask for. The others are closed, with a reason.
 */
import { constants } from "node:crypto";
import type { Socket } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";
import { StartError } from "../../../base/errors.js";
import { asksForCertificates } from "../../tls-settings.js";
import type { KeptCredentials } from "./kept-credentials.js";
import { type Refusal, refusalOfClient } from "./other-side.js";

export interface ServerSideOptions {
  readonly kept: KeptCredentials;
  readonly alpn: readonly string[];
  /** Milliseconds for the handshake and all checks of the client. */
  readonly handshakeMs: number;
  /** The most handshakes at a time. With one more, the oldest connection is closed. */
  readonly handshakesMax: number;
  readonly accepted: (socket: TLSSocket) => void;
  readonly refused: (refusal: Refusal, remoteAddress: string) => void;
}

export class TlsServerSide {
  readonly #options: ServerSideOptions;
  readonly #server: Server;
  /** Oldest first, with what closes it when its time is over. */
  readonly #pending = new Map<Socket, NodeJS.Timeout>();
  #generation: number;

  /** @throws StartError when there is no certificate, or OpenSSL refuses what was given */
  constructor(options: ServerSideOptions) {
    this.#options = options;
    const { kept, alpn } = options;
    const { settings } = kept;
    const { generation } = kept.now();
    this.#generation = generation;
    const isAsking = asksForCertificates(settings);
    try {
      this.#server = createServer({
        ...this.#context(),
        ALPNProtocols: [...alpn],
        requestCert: isAsking,
        // Node would close the connection without a message. `#check` refuses it, and says why.
        rejectUnauthorized: false,
        handshakeTimeout: options.handshakeMs,
      });
    } catch (cause) {
      if (cause instanceof StartError) throw cause;
      throw new StartError(`cannot use the TLS settings: ${(cause as Error).message}`);
    }
    this.#server.on("secureConnection", (socket: TLSSocket) => void this.#check(socket));
    this.#server.on("tlsClientError", (error: Error, socket: TLSSocket) => {
      this.#refuse(socket, { cause: codeOf(error), text: handshakeText(error) });
    });
  }

  /** Takes a connection that has just been accepted. */
  take(raw: Socket): void {
    const { kept, handshakeMs, handshakesMax } = this.#options;
    const { generation } = kept.now();
    if (generation !== this.#generation) {
      this.#generation = generation;
      this.#server.setSecureContext(this.#context());
    }
    const deadline = setTimeout(() => raw.destroy(), handshakeMs);
    this.#pending.set(raw, deadline);
    raw.once("close", () => this.#settle(raw));
    raw.on("error", () => raw.destroy());
    if (this.#pending.size > handshakesMax) this.#pending.keys().next().value?.destroy();
    this.#server.emit("connection", raw);
  }

  #context(): Parameters<Server["setSecureContext"]>[0] {
    const { kept } = this.#options;
    const { own, authorities } = kept.now().credentials;
    if (own === undefined) {
      const prefix = `--${kept.settings.flagPrefix}`;
      throw new StartError(
        `TLS needs a certificate: give ${prefix}cert-file and ${prefix}key-file, or ${prefix}auto-tls`,
      );
    }
    return {
      ...kept.contextOf(own, authorities),
      // Each connection proves its certificate anew, against the authorities of that moment.
      secureOptions: constants.SSL_OP_NO_TICKET,
    };
  }

  async #check(socket: TLSSocket): Promise<void> {
    const { kept, accepted } = this.#options;
    const raw = this.#rawOf(socket);
    // The socket may fail while names are looked up.
    const onError = (): void => void socket.destroy();
    socket.on("error", onError);
    const { revoked } = kept.now().credentials;
    const refusal = await refusalOfClient(socket, kept.settings, revoked).catch(
      (error: Error): Refusal => ({ cause: "check_failed", text: error.message }),
    );
    if (refusal !== undefined) {
      this.#refuse(socket, refusal);
    } else if (!socket.destroyed && (raw === undefined || this.#pending.has(raw))) {
      if (raw !== undefined) this.#settle(raw);
      socket.off("error", onError);
      accepted(socket);
    }
  }

  #refuse(socket: TLSSocket, refusal: Refusal): void {
    const remote = `${socket.remoteAddress ?? ""}:${socket.remotePort ?? ""}`;
    socket.destroy();
    this.#options.refused(refusal, remote);
  }

  /** The TCP socket below. Undefined: the client came over a Unix socket, or is gone. */
  #rawOf(socket: TLSSocket): Socket | undefined {
    for (const raw of this.#pending.keys()) {
      if (raw.remotePort === undefined) continue;
      if (raw.remotePort === socket.remotePort && raw.remoteAddress === socket.remoteAddress) {
        return raw;
      }
    }
    return undefined;
  }

  #settle(raw: Socket): void {
    clearTimeout(this.#pending.get(raw));
    this.#pending.delete(raw);
  }
}

function codeOf(error: Error): string {
  return (error as NodeJS.ErrnoException).code ?? "unknown";
}

const handshakeTexts: Readonly<Record<string, string>> = {
  ERR_SSL_HTTP_REQUEST: "the client speaks plain HTTP: its URL must begin with https://",
  ERR_SSL_WRONG_VERSION_NUMBER: "the client does not speak TLS: its URL must begin with https://",
  ERR_SSL_UNSUPPORTED_PROTOCOL: "the client offers no version of TLS that is allowed here",
  ERR_SSL_NO_SHARED_CIPHER: "the client offers no cipher suite that is allowed here",
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: "the client does not trust the authority of this certificate",
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: "the client refuses this certificate",
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: "the client finds this certificate expired",
  ERR_TLS_HANDSHAKE_TIMEOUT: "the client did not finish its handshake in time",
  ECONNRESET: "the client closed the connection amid its handshake",
};

function handshakeText(error: Error): string {
  return handshakeTexts[codeOf(error)] ?? error.message;
}
