/**
 * The credentials as they are in the files now: before each handshake the files are looked at, and
 * read again if one has changed. While they cannot be used, the last good ones stay in use.
 */
import fs from "node:fs";
import type { SecureContextOptions } from "node:tls";
import type { TlsSettings } from "../../tls-settings.js";
import { loadCredentials, type TlsCredentials } from "./credentials.js";

export interface KeptCredentialsOptions {
  readonly settings: TlsSettings;
  readonly unixMs: () => number;
  readonly log: (
    level: "info" | "warn" | "error",
    message: string,
    fields: Readonly<Record<string, unknown>>,
  ) => void;
}

export class KeptCredentials {
  readonly settings: TlsSettings;
  readonly #options: KeptCredentialsOptions;
  readonly #files: readonly string[];
  #signature: string;
  #current: TlsCredentials;
  #generation = 1;

  /** @throws StartError when the files cannot be used */
  constructor(options: KeptCredentialsOptions) {
    this.#options = options;
    const { settings } = options;
    this.settings = settings;
    const { certFile, keyFile, clientCertFile, clientKeyFile, trustedCaFile, crlFile } = settings;
    const files = [certFile, keyFile, clientCertFile, clientKeyFile, trustedCaFile, crlFile];
    this.#files = [...new Set(files)].filter((file) => file !== "");
    this.#signature = this.#signatureNow();
    this.#current = loadCredentials(settings, options.unixMs());
    this.#warn();
  }

  /** The credentials to use now. `generation` changes whenever the credentials do. */
  now(): { readonly credentials: TlsCredentials; readonly generation: number } {
    const signature = this.#signatureNow();
    if (signature !== this.#signature) {
      this.#signature = signature;
      this.#load();
    }
    return { credentials: this.#current, generation: this.#generation };
  }

  /** What both sides of a connection need. */
  contextOf(pair: TlsCredentials["own"], authorities: string | undefined): SecureContextOptions {
    const { ciphers, minVersion, maxVersion } = this.settings;
    return {
      ...{ minVersion, maxVersion },
      ...(ciphers === undefined ? {} : { ciphers }),
      ...(pair === undefined ? {} : { cert: pair.cert, key: pair.key }),
      ...(authorities === undefined ? {} : { ca: authorities }),
    };
  }

  #load(): void {
    const files = this.#files;
    try {
      this.#current = loadCredentials(this.settings, this.#options.unixMs());
    } catch (error) {
      const fields = { error: (error as Error).message, files };
      this.#options.log("error", "cannot use the changed certificates, the old ones stay", fields);
      return;
    }
    this.#generation++;
    this.#options.log("info", "the certificates have changed and were read again", { files });
    this.#warn();
  }

  #warn(): void {
    for (const warning of this.#current.warnings) this.#options.log("warn", warning, {});
  }

  #signatureNow(): string {
    return this.#files.map(signatureOf).join(" ");
  }
}

function signatureOf(file: string): string {
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  return stat === undefined ? "-" : `${stat.ino}:${stat.size}:${stat.mtimeMs}:${stat.ctimeMs}`;
}
