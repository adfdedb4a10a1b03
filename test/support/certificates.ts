/** An authority of a test, what it signs and what it takes back, in files of a folder. */
import type { KeyObject, X509Certificate } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { derInteger, derSequence, derTime } from "../../src/platform/node/tls/der.js";
import {
  type CertificateWish,
  derName,
  keyPem,
  makeCertificate,
  newKey,
  pem,
  signatureAlgorithm,
  signed,
} from "../../src/platform/node/tls/make-certificate.js";

const dayMs = 24 * 3_600_000;

export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

export class Authority {
  readonly caFile: string;
  readonly #folder: string;
  readonly #commonName: string;
  readonly #key: KeyObject = newKey();

  constructor(folder: string, commonName = "test authority") {
    this.#folder = folder;
    this.#commonName = commonName;
    mkdirSync(folder, { recursive: true });
    this.caFile = join(folder, "ca.crt");
    const certificate = makeCertificate({
      commonName,
      key: this.#key,
      hosts: [],
      isAuthority: true,
      usages: [],
      fromMs: Date.now() - dayMs,
      toMs: Date.now() + dayMs,
    });
    writeFileSync(this.caFile, certificate);
  }

  /** For this machine's loopback address, servers and clients alike, unless `wish` says otherwise. */
  issue(name: string, wish: Partial<CertificateWish> = {}): CertificateFiles {
    const files = {
      cert: join(this.#folder, `${name}.crt`),
      key: join(this.#folder, `${name}.key`),
    };
    const key = wish.key ?? newKey();
    const certificate = makeCertificate({
      commonName: name,
      issuer: { commonName: this.#commonName, key: this.#key },
      hosts: ["localhost", "127.0.0.1"],
      isAuthority: false,
      usages: ["serverAuth", "clientAuth"],
      fromMs: Date.now() - dayMs,
      toMs: Date.now() + dayMs,
      ...wish,
      key,
    });
    writeFileSync(files.cert, certificate);
    writeFileSync(files.key, keyPem(key), { mode: 0o600 });
    return files;
  }

  /** A revocation list with these certificates, in PEM form. */
  revoke(file: string, ...revoked: readonly X509Certificate[]): void {
    const now = derTime(Date.now() - 60_000);
    const entries = revoked.map(({ serialNumber }) =>
      derSequence(derInteger(Buffer.from(serialNumber.padStart(32, "0"), "hex")), now),
    );
    const list = derSequence(
      derInteger(Buffer.of(1)),
      signatureAlgorithm,
      derName(this.#commonName),
      now,
      derTime(Date.now() + dayMs),
      ...(entries.length === 0 ? [] : [derSequence(...entries)]),
    );
    writeFileSync(file, pem("X509 CRL", signed(list, this.#key)));
  }
}
