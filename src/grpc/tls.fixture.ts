/** A certificate for localhost and 127.0.0.1, made for this run of the tests. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { KeptCredentials } from "../platform/node/tls/kept-credentials.js";
import { keyPem, makeCertificate, newKey } from "../platform/node/tls/make-certificate.js";

const key = newKey();
const hourMs = 3_600_000;

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

export const testCertificate: string = makeCertificate({
  commonName: "localhost",
  key,
  hosts: ["localhost", "127.0.0.1"],
  isAuthority: false,
  usages: ["serverAuth"],
  fromMs: Date.now() - hourMs,
  toMs: Date.now() + hourMs,
});

export function testCredentials(): KeptCredentials {
  const folder = mkdtempSync(join(tmpdir(), "lockstep-tls-"));
  folders.push(folder);
  const [certFile, keyFile] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  writeFileSync(certFile, testCertificate);
  writeFileSync(keyFile, keyPem(key), { mode: 0o600 });
  const nothing = { clientCertFile: "", clientKeyFile: "", trustedCaFile: "", crlFile: "" };
  return new KeptCredentials({
    settings: {
      ...nothing,
      ...{ flagPrefix: "", certFile, keyFile, clientCertAuth: false },
      ...{ allowedCommonNames: [], allowedHostnames: [], skipsClientHost: false },
      ...{ ciphers: undefined, minVersion: "TLSv1.2", maxVersion: "TLSv1.3" },
      selfSignedYears: undefined,
    },
    unixMs: Date.now,
    log: () => {},
  });
}
