/**
 * Keys, certificates, authorities and revocation lists from files, checked so that each mistake has
 * a text of its own: what is wrong, in which file, of which flag.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import fs from "node:fs";
import { StartError } from "../../../base/errors.js";
import type { TlsSettings } from "../../tls-settings.js";
import { RevokedCertificates } from "./revoked.js";

export interface TlsCredentials {
  /** The certificate that the listener presents. Undefined: there is none. */
  readonly own: Pair | undefined;
  /** The certificate that this process presents when it dials. */
  readonly client: Pair | undefined;
  /** The authorities in PEM form. Undefined: those that Node brings. */
  readonly authorities: string | undefined;
  readonly revoked: RevokedCertificates | undefined;
  /** Problems that do not stop the process, but keep others from talking to it. */
  readonly warnings: readonly string[];
}

export interface Pair {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly certificate: X509Certificate;
}

/** @throws StartError */
export function loadCredentials(settings: TlsSettings, nowUnixMs: number): TlsCredentials {
  const flag = (name: string): string => `--${settings.flagPrefix}${name}`;
  const warnings: string[] = [];
  const pair = (what: "" | "client-", certFile: string, keyFile: string): Pair | undefined => {
    const certFlag = flag(`${what}cert-file`);
    const keyFlag = flag(`${what}key-file`);
    if (certFile === "" && keyFile === "") return undefined;
    if (certFile === "" || keyFile === "") {
      const [given, missing] = certFile === "" ? [keyFlag, certFlag] : [certFlag, keyFlag];
      throw new StartError(`${given} is given without ${missing}: a certificate needs its key`);
    }
    const loaded = loadPair({ flag: certFlag, file: certFile }, { flag: keyFlag, file: keyFile });
    const problem = outsideOfValidity(loaded.certificate, nowUnixMs);
    if (problem !== undefined)
      warnings.push(`the certificate of ${certFlag} "${certFile}" ${problem}`);
    return loaded;
  };
  const own = pair("", settings.certFile, settings.keyFile);
  const client = pair("client-", settings.clientCertFile, settings.clientKeyFile) ?? own;
  const { trustedCaFile, crlFile } = settings;
  const authorities =
    trustedCaFile === ""
      ? undefined
      : loadAuthorities(
          { flag: flag("trusted-ca-file"), file: trustedCaFile },
          nowUnixMs,
          warnings,
        );
  const crlFlag = flag(settings.flagPrefix === "" ? "client-crl-file" : "crl-file");
  const revoked = crlFile === "" ? undefined : loadRevoked({ flag: crlFlag, file: crlFile });
  return { own, client, authorities, revoked, warnings };
}

interface Source {
  readonly flag: string;
  readonly file: string;
}

function loadPair(certSource: Source, keySource: Source): Pair {
  const cert = readFile(certSource);
  const key = readFile(keySource);
  const certificate = parseCertificate(cert, certSource);
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey(key);
  } catch (cause) {
    const isLocked = /ENCRYPTED/.test(key.toString("latin1"));
    const why = isLocked
      ? "is encrypted: store it without a passphrase"
      : `holds no private key in PEM form (${(cause as Error).message})`;
    throw new StartError(`${named(keySource)} ${why}`);
  }
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new StartError(
      `the key of ${named(keySource)} does not fit the certificate of ${named(certSource)}: give the two that were made together`,
    );
  }
  return { cert, key, certificate };
}

function loadAuthorities(source: Source, nowUnixMs: number, warnings: string[]): string {
  const text = readFile(source).toString("latin1");
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g);
  if (blocks === null) throw new StartError(`${named(source)} holds no certificate in PEM form`);
  for (const block of blocks) {
    const certificate = parseCertificate(Buffer.from(block), source);
    const problem = outsideOfValidity(certificate, nowUnixMs);
    if (problem === undefined) continue;
    warnings.push(`an authority of ${named(source)} ${problem}`);
  }
  return blocks.join("\n");
}

function loadRevoked(source: Source): RevokedCertificates {
  const bytes = readFile(source);
  try {
    return RevokedCertificates.read(bytes);
  } catch (cause) {
    throw new StartError(
      `${named(source)} holds no certificate revocation list in DER or PEM form (${(cause as Error).message})`,
    );
  }
}

function parseCertificate(bytes: Buffer, source: Source): X509Certificate {
  try {
    return new X509Certificate(bytes);
  } catch (cause) {
    throw new StartError(
      `${named(source)} holds no certificate in PEM form (${(cause as Error).message})`,
    );
  }
}

function readFile(source: Source): Buffer {
  try {
    return fs.readFileSync(source.file);
  } catch (cause) {
    throw new StartError(`cannot read ${named(source)}: ${(cause as Error).message}`);
  }
}

function named({ flag, file }: Source): string {
  return `${flag} "${file}"`;
}

/** Why the certificate is outside its time. Undefined: it is valid now. */
function outsideOfValidity(certificate: X509Certificate, nowUnixMs: number): string | undefined {
  if (Date.parse(certificate.validTo) < nowUnixMs) return `expired on ${certificate.validTo}`;
  if (Date.parse(certificate.validFrom) > nowUnixMs) {
    return `is not valid before ${certificate.validFrom}: is this machine's clock right?`;
  }
  return undefined;
}
