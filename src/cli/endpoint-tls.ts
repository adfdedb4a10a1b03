/**
 * Reads endpoints as etcd's clients write them, and the TLS flags for them. https:// and unixs://
 * always use TLS, http:// and unix:// never, an endpoint without a scheme if one of the TLS flags
 * is given.
 */
import { X509Certificate } from "node:crypto";
import fs from "node:fs";
import * as grpc from "@grpc/grpc-js";
import { CtlError, Exit, type Flags, type FlagTable } from "./ctl/flags.js";

export const tlsFlags: FlagTable = {
  cacert: "",
  cert: "",
  key: "",
  "insecure-skip-tls-verify": false,
};

export interface TlsFiles {
  readonly ca: Buffer | null;
  readonly key: Buffer | null;
  readonly cert: Buffer | null;
  /** True: the client accepts any certificate of the server. */
  readonly isUnverified: boolean;
}

/**
 * Reads the files that the flags name. Undefined: no flag asks for TLS. @throws CtlError that names
 * the file and the flag
 */
export function tlsOf(flags: Flags): TlsFiles | undefined {
  const file = (name: string): Buffer | null => {
    const path = flags.text(name);
    if (path === "") return null;
    try {
      return fs.readFileSync(path);
    } catch (cause) {
      throw new CtlError(`cannot read --${name} "${path}": ${(cause as Error).message}`);
    }
  };
  const [ca, cert, key] = [file("cacert"), file("cert"), file("key")];
  const isUnverified = flags.isOn("insecure-skip-tls-verify");
  if ((cert === null) !== (key === null)) throw new CtlError("--cert and --key go together");
  for (const [name, bytes] of [
    ["cacert", ca],
    ["cert", cert],
  ] as const) {
    if (bytes === null || isCertificate(bytes)) continue;
    throw new CtlError(`--${name} "${flags.text(name)}" holds no certificate in PEM form`);
  }
  if (ca === null && cert === null && !isUnverified) return undefined;
  return { ca, cert, key, isUnverified };
}

function isCertificate(bytes: Buffer): boolean {
  try {
    return new X509Certificate(bytes).subject !== null;
  } catch {
    return false;
  }
}

/** The endpoint in gRPC's form. */
export function targetOf(endpoint: string): string {
  const socket = /^unixs?:(?:\/\/)?(.+)$/.exec(endpoint);
  if (socket !== null) return `unix:${socket[1]}`;
  return endpoint.replace(/^https?:\/\//, "").replace(/\/$/, "");
}

/** @throws CtlError when the endpoint's scheme and the flags contradict each other */
export function credentialsOf(
  endpoint: string,
  tls: TlsFiles | undefined,
): grpc.ChannelCredentials {
  const isPlain = /^(http|unix):/.test(endpoint);
  if (isPlain && tls !== undefined) {
    throw new CtlError(
      `TLS flags are given, and "${endpoint}" would be plain text: write https:// (or unixs://), or leave --cacert, --cert and --key out`,
      Exit.badArgs,
    );
  }
  if (isPlain || (tls === undefined && !/^(https|unixs):/.test(endpoint))) {
    return grpc.credentials.createInsecure();
  }
  if (tls === undefined) return grpc.credentials.createSsl();
  try {
    const check = { rejectUnauthorized: !tls.isUnverified };
    return grpc.credentials.createSsl(tls.ca, tls.key, tls.cert, check);
  } catch (cause) {
    throw new CtlError(`--cert and --key cannot be used: ${(cause as Error).message}`);
  }
}

const hints: readonly (readonly [pattern: RegExp, hint: string])[] = [
  [
    /wrong version number|packet length too long|before secure TLS connection/i,
    "it seems that the server does not speak TLS: then write http://",
  ],
  [
    /self.signed certificate|unable to verify|unable to get (local )?issuer/i,
    "--cacert must name the authority that signed the server's certificate",
  ],
  [/certificate has expired/i, "the server's certificate has expired"],
  [
    /does not match certificate|altnames/i,
    "the server's certificate does not stand for this host: use a name that it has",
  ],
  [
    /certificate required|bad certificate|unknown ca|handshake failure/i,
    "the server wants a certificate that it trusts: give --cert and --key",
  ],
];

/** The text for a connection that gRPC could not make, with advice where there is some. */
export function connectionText(endpoint: string, details: string): string {
  const hint = hints.find(([pattern]) => pattern.test(details))?.[1];
  return `${endpoint}: ${details}${hint === undefined ? "" : ` (${hint})`}`;
}
