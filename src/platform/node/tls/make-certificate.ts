/**
 * Makes X.509 certificates (RFC 5280, version 3) with ECDSA on P-256: the members' own for
 * --auto-tls and --peer-auto-tls, and those of tests.
 */
import {
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from "node:crypto";
import { isIP } from "node:net";
import { der, derBits, derInteger, derOid, derSequence, derTime, Tag } from "./der.js";

export interface Signer {
  readonly commonName: string;
  readonly key: KeyObject;
}

export interface CertificateWish {
  readonly commonName: string;
  /** The key whose public part goes into the certificate. */
  readonly key: KeyObject;
  /** The signing key; absent: the certificate's own key signs. */
  readonly issuer?: Signer;
  /** Names and addresses that it stands for. */
  readonly hosts: readonly string[];
  readonly isAuthority: boolean;
  readonly usages: readonly ("serverAuth" | "clientAuth")[];
  /** Unix time in milliseconds. */
  readonly fromMs: number;
  readonly toMs: number;
  /** The serial number. Absent: 16 random bytes. */
  readonly serial?: Uint8Array;
}

const Oid = {
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
  commonName: "2.5.4.3",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  extendedKeyUsage: "2.5.29.37",
  serverAuth: "1.3.6.1.5.5.7.3.1",
  clientAuth: "1.3.6.1.5.5.7.3.2",
} as const;

/** Bits of KeyUsage (RFC 5280, 4.2.1.3), the first one highest, with their unused bits before. */
const leafUsage = Buffer.of(5, 0b1010_0000);
const authorityUsage = Buffer.of(1, 0b0000_0110);

export const signatureAlgorithm: Buffer = derSequence(derOid(Oid.ecdsaWithSha256));

export function newKey(): KeyObject {
  return generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
}

export function keyPem(key: KeyObject): string {
  return key.export({ type: "pkcs8", format: "pem" }) as string;
}

/** Makes a certificate in PEM form. */
export function makeCertificate(wish: CertificateWish): string {
  const issuer = wish.issuer ?? wish;
  const serial = Buffer.from(wish.serial ?? randomBytes(16));
  const usages = wish.usages.map((usage) => derOid(Oid[usage]));
  const names = wish.hosts.map(generalName);
  const extensions = [
    extension(Oid.basicConstraints, derSequence(...(wish.isAuthority ? [yes] : []))),
    extension(Oid.keyUsage, der(Tag.bitString, wish.isAuthority ? authorityUsage : leafUsage)),
    ...(usages.length === 0 ? [] : [extension(Oid.extendedKeyUsage, derSequence(...usages))]),
    ...(names.length === 0 ? [] : [extension(Oid.subjectAltName, derSequence(...names))]),
  ];
  const toBeSigned = derSequence(
    der(0xa0, derInteger(Buffer.of(2))),
    derInteger(serial),
    signatureAlgorithm,
    derName(issuer.commonName),
    derSequence(derTime(wish.fromMs), derTime(wish.toMs)),
    derName(wish.commonName),
    createPublicKey(wish.key).export({ type: "spki", format: "der" }),
    der(0xa3, derSequence(...extensions)),
  );
  return pem("CERTIFICATE", signed(toBeSigned, issuer.key));
}

const yes = der(Tag.boolean, Buffer.of(0xff));

/** Signs: returns a certificate or revocation list from its part to be signed. */
export function signed(toBeSigned: Buffer, key: KeyObject): Buffer {
  return derSequence(toBeSigned, signatureAlgorithm, derBits(sign("sha256", toBeSigned, key)));
}

export function derName(commonName: string): Buffer {
  const value = der(Tag.utf8String, Buffer.from(commonName));
  return derSequence(der(Tag.set, derSequence(derOid(Oid.commonName), value)));
}

export function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

function extension(oid: string, value: Buffer): Buffer {
  return derSequence(derOid(oid), der(Tag.octetString, value));
}

/** A name or an address as RFC 5280, 4.2.1.6, writes it. */
function generalName(host: string): Buffer {
  if (isIP(host) === 0) return der(0x82, Buffer.from(host, "latin1"));
  return der(0x87, addressBytes(host));
}

function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split(".").map(Number));
  const [head = "", tail] = address.split("::");
  const groups = (text: string): number[] =>
    text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
  const [before, after] = [groups(head), groups(tail ?? "")];
  const gap = tail === undefined ? 0 : 8 - before.length - after.length;
  const bytes = Buffer.alloc(16);
  const all = [...before, ...Array<number>(gap).fill(0), ...after];
  for (const [place, group] of all.entries()) bytes.writeUInt16BE(group, 2 * place);
  return bytes;
}
