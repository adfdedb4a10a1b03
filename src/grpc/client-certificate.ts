/** What the handshake of a connection proved about the client. */
import type { Socket } from "node:net";

export interface ClientCertificate {
  /** Undefined if the certificate names none. */
  readonly commonName: string | undefined;
}

/** What a TLS socket says about the other side. */
interface VerifiedSocket {
  readonly authorized: boolean;
  getPeerCertificate(): { readonly subject?: { readonly CN?: string | string[] } } | undefined;
}

/** Undefined without TLS, and if the client showed no certificate of the trusted authority. */
export function clientCertificateOf(socket: Socket): ClientCertificate | undefined {
  const tls = socket as Socket & Partial<VerifiedSocket>;
  if (tls.authorized !== true) return undefined;
  const names: string | string[] | undefined = tls.getPeerCertificate?.()?.subject?.CN;
  // With several names the last one counts, as in Go.
  return { commonName: Array.isArray(names) ? names.at(-1) : names };
}
