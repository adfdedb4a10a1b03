/**
 * Each mistake in the files of certificates has a text of its own. Changed files are taken over,
 * unless they have a mistake.
 */
import { createCipheriv, X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { Authority } from "../../../../test/support/certificates.js";
import type { TlsSettings } from "../../tls-settings.js";
import { loadCredentials } from "./credentials.js";
import { KeptCredentials } from "./kept-credentials.js";
import { openCredentials } from "./open-credentials.js";

const folder = mkdtempSync(join(tmpdir(), "lockstep-credentials-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const authority = new Authority(join(folder, "pki"));
const server = authority.issue("server");
const other = authority.issue("other");
const file = (name: string, content: string | Uint8Array): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};

function settings(more: Partial<TlsSettings> = {}): TlsSettings {
  return {
    flagPrefix: "peer-",
    ...{ certFile: server.cert, keyFile: server.key, clientCertFile: "", clientKeyFile: "" },
    ...{ trustedCaFile: "", crlFile: "", clientCertAuth: false, skipsClientHost: false },
    ...{ allowedCommonNames: [], allowedHostnames: [], selfSignedYears: undefined },
    ...{ ciphers: undefined, minVersion: "TLSv1.2", maxVersion: "TLSv1.3" },
    ...more,
  };
}

describe("mistakes", () => {
  const locked =
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAAw\n-----END ENCRYPTED PRIVATE KEY-----\n";
  test.each<[string, () => Partial<TlsSettings>, RegExp]>([
    [
      "a file that is not there",
      () => ({ certFile: "/no/cert" }),
      /cannot read --peer-cert-file "\/no\/cert": ENOENT/,
    ],
    [
      "a certificate without key",
      () => ({ keyFile: "" }),
      /--peer-cert-file is given without --peer-key-file/,
    ],
    [
      "a key without certificate",
      () => ({ certFile: "" }),
      /--peer-key-file is given without --peer-cert-file/,
    ],
    [
      "a key that does not fit",
      () => ({ keyFile: other.key }),
      /key of --peer-key-file .*other.key" does not fit the certificate of --peer-cert-file/,
    ],
    [
      "no certificate at all",
      () => ({ certFile: file("text", "hello") }),
      /--peer-cert-file .* holds no certificate in PEM form/,
    ],
    [
      "no key at all",
      () => ({ keyFile: server.cert }),
      /--peer-key-file .* holds no private key in PEM form/,
    ],
    [
      "a key with a passphrase",
      () => ({ keyFile: file("locked", locked) }),
      /is encrypted: store it without a passphrase/,
    ],
    [
      "authorities that are none",
      () => ({ trustedCaFile: server.key }),
      /--peer-trusted-ca-file .* holds no certificate/,
    ],
    [
      "a revocation list that is none",
      () => ({ crlFile: server.cert }),
      /--peer-crl-file .* holds no certificate revocation list/,
    ],
    [
      "a client's key that does not fit",
      () => ({ clientCertFile: other.cert, clientKeyFile: server.key }),
      /--peer-client-key-file .* does not fit/,
    ],
  ])("%s", (_name, wish, text) => {
    expect(() => loadCredentials(settings(wish()), Date.now())).toThrow(text);
  });

  test("what is expired or not valid yet is told, and used", () => {
    const hour = 3_600_000;
    const past = authority.issue("past", { toMs: Date.now() - hour });
    const future = authority.issue("future", { fromMs: Date.now() + hour });
    const of = ({ cert, key }: typeof past): readonly string[] =>
      loadCredentials(settings({ certFile: cert, keyFile: key }), Date.now()).warnings;
    expect(of(past)).toEqual([
      expect.stringMatching(/certificate of --peer-cert-file .* expired on/),
    ]);
    expect(of(future)).toEqual([expect.stringMatching(/is not valid before .*clock right/)]);
    expect(of(server)).toEqual([]);
  });
});

describe("revocation lists", () => {
  test("in PEM and in DER form; an empty one revokes nobody", () => {
    const certificate = new X509Certificate(readFileSync(other.cert));
    const pem = join(folder, "crl.pem");
    authority.revoke(pem, certificate);
    const base64 = readFileSync(pem, "latin1").replace(/-----[^-]+-----/g, "");
    const der = file("crl.der", Buffer.from(base64, "base64"));
    const empty = join(folder, "empty.pem");
    authority.revoke(empty);
    const isRevoked = (crlFile: string): boolean | undefined =>
      loadCredentials(settings({ crlFile }), Date.now()).revoked?.has(certificate);
    expect([pem, der, empty].map(isRevoked)).toEqual([true, true, false]);
  });

  test("bytes of any kind are an error, never more", () => {
    const cipher = createCipheriv("aes-128-ctr", Buffer.alloc(16), Buffer.alloc(16));
    const pem = join(folder, "whole.pem");
    authority.revoke(pem, new X509Certificate(readFileSync(other.cert)));
    const whole = Buffer.from(
      readFileSync(pem, "latin1").replace(/-----[^-]+-----/g, ""),
      "base64",
    );
    for (let round = 0; round < 300; round++) {
      const bytes = Buffer.from(whole);
      const at = cipher.update(Buffer.alloc(4)).readUInt32LE() % bytes.length;
      bytes[at] = (bytes[at] as number) ^ (1 << (round % 8));
      const crlFile = file("damaged", bytes.subarray(0, round % 3 === 0 ? at : bytes.length));
      try {
        loadCredentials(settings({ crlFile }), Date.now());
      } catch (error) {
        expect((error as Error).message).toMatch(/holds no certificate revocation list/);
      }
    }
  });
});

describe("files that change", () => {
  test("a new pair is taken over, a bad one not, and each is told", () => {
    const [certFile, keyFile] = [file("kept.crt", ""), file("kept.key", "")];
    const put = ({ cert, key }: typeof server): void => {
      writeFileSync(certFile, readFileSync(cert));
      writeFileSync(keyFile, readFileSync(key));
    };
    put(server);
    const told: string[] = [];
    const log = (level: string, message: string): void => void told.push(`${level} ${message}`);
    const options = { settings: settings({ certFile, keyFile }), unixMs: Date.now, log };
    const kept = new KeptCredentials(options);
    const subject = (): string | undefined => kept.now().credentials.own?.certificate.subject;
    expect(subject()).toBe("CN=server");
    const { generation } = kept.now();
    writeFileSync(certFile, readFileSync(other.cert));
    expect(subject()).toBe("CN=server");
    expect(kept.now().generation).toBe(generation);
    put(other);
    expect(subject()).toBe("CN=other");
    expect(kept.now().generation).toBe(generation + 1);
    expect(told).toEqual([
      "error cannot use the changed certificates, the old ones stay",
      "info the certificates have changed and were read again",
    ]);
  });
});

test("a certificate of one's own is made once, and again when it has expired", () => {
  const place = {
    dataDir: join(folder, "auto"),
    hosts: ["127.0.0.1", "a.example", "::1", "fe80::1:2"],
  };
  const none = { certFile: "", keyFile: "", selfSignedYears: 2 };
  const open = (unixMs: () => number): X509Certificate => {
    const options = { settings: settings(none), unixMs, log: () => {} };
    return openCredentials(options, place)?.now().credentials.own?.certificate as X509Certificate;
  };
  const made = open(Date.now);
  expect(made.checkIP("127.0.0.1")).toBe("127.0.0.1");
  expect(made.checkIP("::1")).toBe("::1");
  expect(made.checkIP("fe80::1:2")).toBe("fe80::1:2");
  expect(made.checkHost("a.example")).toBe("a.example");
  expect(made.checkIP("127.0.0.2")).toBeUndefined();
  const years = (Date.parse(made.validTo) - Date.now()) / (365 * 24 * 3_600_000);
  expect(years).toBeCloseTo(2, 2);
  expect(open(Date.now).fingerprint).toBe(made.fingerprint);
  const later = Date.parse(made.validTo) + 1;
  expect(open(() => later).fingerprint).not.toBe(made.fingerprint);
  expect(
    openCredentials(
      { settings: settings({ certFile: "", keyFile: "" }), unixMs: Date.now, log: () => {} },
      place,
    ),
  ).toBeUndefined();
});
