/**
 * Checks the certificate of the other side beyond its signature: it must not be revoked, its name
 * must be allowed, and a client must come from an address that its certificate names. The rules are
 * etcd's.
 */
import type { X509Certificate } from "node:crypto";
import { lookup, reverse } from "node:dns/promises";
import { BlockList, isIP } from "node:net";
import type { TLSSocket } from "node:tls";
import { asksForCertificates, type TlsSettings } from "../../tls-settings.js";
import type { RevokedCertificates } from "./revoked.js";

/** `cause` is one of a few words; `text` says what is wrong with which certificate. */
export interface Refusal {
  readonly cause: string;
  readonly text: string;
}

/** Checks a client on the accepting side. Resolves to undefined when the client may go on. */
export async function refusalOfClient(
  socket: TLSSocket,
  settings: TlsSettings,
  revoked: RevokedCertificates | undefined,
): Promise<Refusal | undefined> {
  if (!asksForCertificates(settings)) return undefined;
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) {
    return { cause: "no_certificate", text: "the client gave no certificate, and one is required" };
  }
  if (!socket.authorized) return unverified(certificate, String(socket.authorizationError));
  const refusal = refusalOf(certificate, settings, revoked);
  if (refusal !== undefined || settings.skipsClientHost) return refusal;
  return refusalOfAddress(certificate, socket.remoteAddress);
}

/**
 * Checks what both sides look at in a certificate whose signature is right. Undefined: it passes.
 */
export function refusalOf(
  certificate: X509Certificate,
  settings: Pick<TlsSettings, "allowedCommonNames" | "allowedHostnames">,
  revoked: RevokedCertificates | undefined,
): Refusal | undefined {
  for (const each of chainOf(certificate)) {
    if (revoked?.has(each) !== true) continue;
    const text = `the certificate with serial ${each.serialNumber} (${subjectOf(each)}) is revoked`;
    return { cause: "revoked", text };
  }
  const { allowedCommonNames, allowedHostnames } = settings;
  const commonName = commonNameOf(certificate);
  if (allowedCommonNames.length > 0 && !allowedCommonNames.includes(commonName)) {
    const text = `client certificate authentication failed: the common name "${commonName}" is not allowed`;
    return { cause: "common_name", text };
  }
  const isNamed = allowedHostnames.some((host) => standsFor(certificate, host));
  if (allowedHostnames.length > 0 && !isNamed) {
    const text = `client certificate authentication failed: the certificate (${subjectOf(certificate)}) stands for none of ${allowedHostnames.join(", ")}`;
    return { cause: "host_name", text };
  }
  return undefined;
}

const verifyTexts: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "has expired",
  CERT_NOT_YET_VALID: "is not valid yet: are the clocks right?",
  INVALID_PURPOSE: "is not made for clients (its extended key usage lacks clientAuth)",
  DEPTH_ZERO_SELF_SIGNED_CERT: "is self-signed and not one of the trusted authorities",
};

function unverified(certificate: X509Certificate, code: string): Refusal {
  const why = verifyTexts[code] ?? `was not signed by one of the trusted authorities (${code})`;
  const dates = ["CERT_HAS_EXPIRED", "CERT_NOT_YET_VALID"].includes(code)
    ? `, valid from ${certificate.validFrom} to ${certificate.validTo}`
    : "";
  return { cause: code, text: `the certificate (${subjectOf(certificate)}${dates}) ${why}` };
}

/** The certificate and those above it that are not authorities of their own making. */
function chainOf(leaf: X509Certificate): X509Certificate[] {
  const chain = [leaf];
  let next = leaf.issuerCertificate;
  while (next !== undefined && next.subject !== next.issuer && chain.length < 10) {
    chain.push(next);
    next = next.issuerCertificate;
  }
  return chain;
}

/**
 * Checks where a client comes from. A certificate with addresses or host names must name that
 * address; a client with any other certificate may come from anywhere.
 */
async function refusalOfAddress(
  certificate: X509Certificate,
  remote: string | undefined,
): Promise<Refusal | undefined> {
  const names = (certificate.subjectAltName ?? "").split(", ").map((name) => name.trim());
  const addresses = valuesOf(names, "IP Address:");
  const hosts = valuesOf(names, "DNS:");
  // A Unix socket has no address.
  if (remote === undefined || (addresses.length === 0 && hosts.length === 0)) return undefined;
  const address = remote.replace(/^::ffff:/, "");
  if (certificate.checkIP(address) !== undefined) return undefined;
  if (await isOneOf(address, hosts)) return undefined;
  const named = [...addresses, ...hosts].join(", ");
  const text = `the certificate (${subjectOf(certificate)}) is valid for ${named}, not for ${address}`;
  return { cause: "address", text };
}

function valuesOf(names: readonly string[], kind: string): string[] {
  return names.filter((name) => name.startsWith(kind)).map((name) => name.slice(kind.length));
}

/**
 * True if one of these names stands for the address. Names are looked up; a name with a star is
 * compared with the names that DNS gives for the address.
 */
async function isOneOf(address: string, hosts: readonly string[]): Promise<boolean> {
  const exact = hosts.filter((host) => !host.startsWith("*."));
  for (const host of exact) {
    const found = await lookup(host, { all: true }).catch(() => []);
    if (found.some((each) => isSame(each.address, address))) return true;
  }
  const stars = hosts.filter((host) => host.startsWith("*."));
  if (stars.length === 0) return false;
  const names = await reverse(address).catch(() => []);
  return names.some((name) =>
    stars.some((star) => name.replace(/\.$/, "").endsWith(star.slice(1))),
  );
}

function isSame(one: string, other: string): boolean {
  if (isIP(one) !== isIP(other)) return false;
  const list = new BlockList();
  const family = isIP(one) === 6 ? "ipv6" : "ipv4";
  list.addAddress(one, family);
  return list.check(other, family);
}

/** The common name of a certificate. Of several the last one counts, as in Go. */
function commonNameOf(certificate: X509Certificate): string {
  const { CN } = certificate.toLegacyObject().subject as { readonly CN?: string | string[] };
  return (Array.isArray(CN) ? CN.at(-1) : CN) ?? "";
}

function standsFor(certificate: X509Certificate, host: string): boolean {
  if (isIP(host) !== 0) return certificate.checkIP(host) !== undefined;
  return certificate.checkHost(host, { subject: "never" }) !== undefined;
}

function subjectOf(certificate: X509Certificate): string {
  return certificate.subject?.replaceAll("\n", ", ") || "without a subject";
}
