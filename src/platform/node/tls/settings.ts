/** What an operator configured about TLS for one kind of address: of clients or of peers. */
import type { SecureVersion } from "node:tls";

/** Names of files; "": not given. */
export interface TlsSettings {
  /** "" or "peer-": what the names of its flags begin with. */
  readonly flagPrefix: string;
  readonly certFile: string;
  readonly keyFile: string;
  /** The certificate that this process presents as a client. Absent: `certFile`. */
  readonly clientCertFile: string;
  readonly clientKeyFile: string;
  readonly trustedCaFile: string;
  readonly crlFile: string;
  readonly clientCertAuth: boolean;
  /** If there are any, the other side's certificate must have one of them. */
  readonly allowedCommonNames: readonly string[];
  readonly allowedHostnames: readonly string[];
  /** A client's certificate with host names need not name the address that it comes from. */
  readonly skipsClientHost: boolean;
  /** OpenSSL's names with colons; undefined: Node's choice. */
  readonly ciphers: string | undefined;
  readonly minVersion: SecureVersion;
  readonly maxVersion: SecureVersion;
  /** Makes its own certificate, for so many years; undefined: it does not. */
  readonly selfSignedYears: number | undefined;
}

/** A client must show a certificate, as etcd decides it. */
export function asksForCertificates(settings: TlsSettings): boolean {
  return settings.clientCertAuth || settings.trustedCaFile !== "";
}
