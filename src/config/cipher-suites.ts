/** Cipher suites of TLS 1.2: the names of etcd's flag are IANA's, those of Node are OpenSSL's. */

const keyExchanges: Readonly<Record<string, string>> = {
  ECDHE_RSA: "ECDHE-RSA-",
  ECDHE_ECDSA: "ECDHE-ECDSA-",
  RSA: "",
};
const ciphers: Readonly<Record<string, string>> = {
  AES_128_GCM_SHA256: "AES128-GCM-SHA256",
  AES_256_GCM_SHA384: "AES256-GCM-SHA384",
  AES_128_CBC_SHA: "AES128-SHA",
  AES_256_CBC_SHA: "AES256-SHA",
  AES_128_CBC_SHA256: "AES128-SHA256",
  CHACHA20_POLY1305: "CHACHA20-POLY1305",
  CHACHA20_POLY1305_SHA256: "CHACHA20-POLY1305",
};

/** TLS 1.3 has these, and always offers all of them. */
const always = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];

/** True for IANA's names of the suites of TLS 1.3. No flag can turn these off. */
export function isOfTls13(name: string): boolean {
  return always.includes(name);
}

/** Undefined: OpenSSL as Node has it does not know the suite, or holds it for too weak. */
export function openSslName(name: string): string | undefined {
  const [, exchange = "", cipher = ""] = /^TLS_(\w+)_WITH_(\w+)$/.exec(name) ?? [];
  const [first, second] = [keyExchanges[exchange], ciphers[cipher]];
  if (first === undefined || second === undefined) return undefined;
  if (exchange === "RSA" && cipher.startsWith("CHACHA")) return undefined;
  return `${first}${second}`;
}

/** IANA's names of all suites that --cipher-suites takes. */
export const cipherSuiteNames: readonly string[] = [
  ...Object.keys(keyExchanges).flatMap((exchange) =>
    Object.keys(ciphers).map((cipher) => `TLS_${exchange}_WITH_${cipher}`),
  ),
  ...always,
].filter((name) => isOfTls13(name) || openSslName(name) !== undefined);
