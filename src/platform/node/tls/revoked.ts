/**
 * Reads certificate revocation lists (RFC 5280, section 5), as etcd does: only the serial numbers
 * count. Whoever can write the file is trusted, so its signature and its dates are not checked.
 */
import type { X509Certificate } from "node:crypto";
import { type DerValue, readDer, Tag } from "./der.js";

export class RevokedCertificates {
  /** Serial numbers in hexadecimal, without leading zeros. */
  readonly #serials = new Set<string>();

  /** A file with one list in DER or any number of them in PEM form. @throws Error if it is neither */
  static read(file: Buffer): RevokedCertificates {
    const revoked = new RevokedCertificates();
    const text = file.toString("latin1");
    const blocks = [...text.matchAll(/-----BEGIN X509 CRL-----([^-]*)-----END X509 CRL-----/g)];
    if (blocks.length === 0) revoked.#add(file);
    for (const [, base64 = ""] of blocks) revoked.#add(Buffer.from(base64, "base64"));
    return revoked;
  }

  has(certificate: X509Certificate): boolean {
    return this.#serials.has(plain(certificate.serialNumber));
  }

  /**
   * Reads a CertificateList: in its part to be signed the revoked certificates stand behind two
   * names and two times.
   */
  #add(list: Buffer): void {
    const [whole] = readDer(list);
    const [toBeSigned] = readDer(needed(whole, Tag.sequence));
    const fields = [...readDer(needed(toBeSigned, Tag.sequence))];
    const isTime = ({ tag }: DerValue): boolean =>
      tag === Tag.utcTime || tag === Tag.generalizedTime;
    const lastTime = fields.findLastIndex(isTime);
    if (lastTime < 0) throw new Error("it is no certificate revocation list");
    const revoked = fields[lastTime + 1];
    if (revoked?.tag !== Tag.sequence) return;
    for (const entry of readDer(revoked.content)) {
      const [serial] = readDer(needed(entry, Tag.sequence));
      this.#serials.add(plain(needed(serial, Tag.integer).toString("hex")));
    }
  }
}

function needed(value: DerValue | undefined, tag: number): Buffer {
  if (value?.tag !== tag) throw new Error("it is no certificate revocation list");
  return value.content;
}

function plain(hex: string): string {
  return hex.toLowerCase().replace(/^0+(?=.)/, "");
}
