/**
 * Connections to peer URLs: http and unix in plain text, https and unixs with TLS. With TLS nothing
 * is written before the other side has proven a certificate for the URL's host that passes the same
 * rules as those of peers that dial.
 */
import net from "node:net";
import tls from "node:tls";
import { Repeats } from "../../../base/repeats.js";
import type { KeptCredentials } from "../tls/kept-credentials.js";
import { refusalOf } from "../tls/other-side.js";
import { addressOf } from "./address.js";
import { type CallbackFailed, ownedSocket } from "./owned.js";

export interface DialerOptions {
  /** Undefined: no peer flag asks for TLS; https URLs are then checked against Node's authorities. */
  readonly credentials: KeptCredentials | undefined;
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number;
  readonly log: (message: string, fields: Readonly<Record<string, unknown>>) => void;
  /** Takes what a callback of a connection throws. */
  readonly failed: CallbackFailed;
}

/** Milliseconds between two lines about one URL and one cause. */
const tellEveryMs = 60_000;

export class PeerDialer {
  readonly #options: DialerOptions;
  readonly #repeats = new Repeats(tellEveryMs);

  constructor(options: DialerOptions) {
    this.#options = options;
  }

  /** Calls `opened` when bytes may be written. An error or a refusal closes the socket. */
  dial(url: string, opened: () => void): net.Socket {
    const address = addressOf(url);
    const place =
      "socketPath" in address
        ? { path: address.socketPath }
        : { host: address.host, port: address.port };
    if (!address.isTls) {
      const plain = ownedSocket(net.connect({ ...place, noDelay: true }), this.#options.failed);
      plain.once("connect", opened);
      return plain;
    }
    const context = this.#contextFor("host" in address ? address.host : "localhost");
    const connected = tls.connect({ ...place, ...context, ...{ noDelay: true } });
    const socket = ownedSocket(connected, this.#options.failed);
    socket.once("secureConnect", () => {
      const refusal = this.#refusalOf(socket);
      if (refusal === undefined) opened();
      else socket.destroy(new Error(refusal));
    });
    socket.on("error", (error) => this.#tell(url, error));
    return socket;
  }

  #contextFor(host: string): tls.ConnectionOptions {
    const { credentials: kept } = this.#options;
    const name = net.isIP(host) === 0 ? { servername: host } : {};
    if (kept === undefined) return name;
    const { client, authorities } = kept.now().credentials;
    const context = kept.contextOf(client, authorities);
    // With --peer-auto-tls nobody has signed the certificate: it encrypts, but proves no identity.
    const isUnproven = kept.settings.selfSignedYears !== undefined;
    return { ...name, ...context, rejectUnauthorized: !isUnproven };
  }

  #refusalOf(socket: tls.TLSSocket): string | undefined {
    const { credentials: kept } = this.#options;
    const certificate = socket.getPeerX509Certificate();
    if (kept === undefined) return undefined;
    if (certificate === undefined) return "the peer showed no certificate";
    return refusalOf(certificate, kept.settings, kept.now().credentials.revoked)?.text;
  }

  /**
   * A refused TCP connection is normal while a member is down. What TLS reports is a mistake that
   * an operator must repair.
   */
  #tell(url: string, error: Error): void {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (/^(ECONN|EHOST|ENET|ETIMEDOUT|EPIPE|ENOTFOUND|EAI_AGAIN|ENOENT)/.test(code)) return;
    const held = this.#repeats.tell(`${url} ${code}`, this.#options.now());
    if (held === undefined) return;
    this.#options.log("cannot connect to a peer with TLS", {
      "remote-peer-url": url,
      error: textOf(code, error),
      ...(held === 0 ? {} : { "more-since-last-time": held }),
    });
  }
}

const notTrusted = "the peer's certificate was not signed by one of the trusted authorities";
const texts: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: notTrusted,
  SELF_SIGNED_CERT_IN_CHAIN: notTrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: notTrusted,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: notTrusted,
  CERT_HAS_EXPIRED: "the peer's certificate has expired",
  CERT_NOT_YET_VALID: "the peer's certificate is not valid yet: are the clocks right?",
  CERT_SIGNATURE_FAILURE: "the peer's certificate was not signed by the authority that it names",
  ERR_SSL_WRONG_VERSION_NUMBER: "the peer does not speak TLS: its URL must begin with http://",
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: "the peer wants a certificate, and there is none here",
};

function textOf(code: string, error: Error): string {
  const text = texts[code];
  return text === undefined ? error.message : `${text} (${code})`;
}
