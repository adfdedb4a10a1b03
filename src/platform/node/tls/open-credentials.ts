/**
 * Opens the credentials that an operator asked for: from files, or, for --auto-tls, from a
 * certificate that this process makes and keeps below the data directory. Such a certificate
 * encrypts, but proves no identity.
 */
import { X509Certificate } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { StartError } from "../../../base/errors.js";
import type { TlsSettings } from "../../tls-settings.js";
import { KeptCredentials, type KeptCredentialsOptions } from "./kept-credentials.js";
import { keyPem, makeCertificate, newKey } from "./make-certificate.js";

export interface CredentialPlace {
  readonly dataDir: string;
  /** Names and addresses for a certificate that is made. */
  readonly hosts: readonly string[];
}

const yearMs = 365 * 24 * 3_600_000;

/** Opens the credentials. Undefined: nobody asked for TLS. @throws StartError */
export function openCredentials(
  options: KeptCredentialsOptions,
  place: CredentialPlace,
): KeptCredentials | undefined {
  const { settings } = options;
  const { selfSignedYears } = settings;
  if (selfSignedYears === undefined) {
    return settings.certFile === "" && settings.keyFile === ""
      ? undefined
      : new KeptCredentials(options);
  }
  const made = keptOrMade(options, place, selfSignedYears);
  return new KeptCredentials({ ...options, settings: { ...settings, ...made } });
}

function keptOrMade(
  { settings, unixMs, log }: KeptCredentialsOptions,
  { dataDir, hosts }: CredentialPlace,
  years: number,
): Pick<TlsSettings, "certFile" | "keyFile"> {
  const folder = path.join(dataDir, "fixtures", settings.flagPrefix === "" ? "client" : "peer");
  const [certFile, keyFile] = [path.join(folder, "cert.pem"), path.join(folder, "key.pem")];
  const nowMs = unixMs();
  if (isUsable(certFile, keyFile, nowMs)) return { certFile, keyFile };
  const key = newKey();
  const certificate = makeCertificate({
    commonName: "lockstep",
    key,
    hosts: [...new Set(hosts)],
    isAuthority: false,
    usages: ["serverAuth", "clientAuth"],
    // Clocks of other machines may be a little behind.
    fromMs: nowMs - 3_600_000,
    toMs: nowMs + years * yearMs,
  });
  try {
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
    fs.writeFileSync(certFile, certificate, { mode: 0o600 });
    fs.writeFileSync(keyFile, keyPem(key), { mode: 0o600 });
  } catch (cause) {
    const why = (cause as Error).message;
    throw new StartError(`--${settings.flagPrefix}auto-tls cannot keep its certificate: ${why}`);
  }
  log("info", "made a certificate of its own", { path: certFile, hosts, years });
  return { certFile, keyFile };
}

function isUsable(certFile: string, keyFile: string, nowMs: number): boolean {
  if (!fs.existsSync(certFile) || !fs.existsSync(keyFile)) return false;
  try {
    return Date.parse(new X509Certificate(fs.readFileSync(certFile)).validTo) > nowMs;
  } catch {
    return false;
  }
}
