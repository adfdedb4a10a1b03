/**
 * What an operator configured about TLS for one kind of address: of clients or of peers. src/config
 * makes it from flags, platform/node/tls uses it.
 */

/** File names are "" if they are not given. */
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
  /**
   * If there are any, the certificate of the other side must have one of them as its common name.
   */
  readonly allowedCommonNames: readonly string[];
  readonly allowedHostnames: readonly string[];
  /**
   * True: a client's certificate with host names need not name the address that the client comes
   * from.
   */
  readonly skipsClientHost: boolean;
  /** OpenSSL's names, separated by colons. Undefined: Node's choice. */
  readonly ciphers: string | undefined;
  readonly minVersion: "TLSv1.2" | "TLSv1.3";
  readonly maxVersion: "TLSv1.2" | "TLSv1.3";
  /** Years for which a certificate of its own making is valid. Undefined: it makes none. */
  readonly selfSignedYears: number | undefined;
}

/** True if a client must show a certificate, by etcd's rules. */
export function asksForCertificates(settings: TlsSettings): boolean {
  return settings.clientCertAuth || settings.trustedCaFile !== "";
}
