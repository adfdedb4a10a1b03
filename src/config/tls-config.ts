/**
 * Reads the TLS flags for the addresses of clients and of peers. A flag that asks for security that
 * it would not get is an error, for example a certificate without an https:// address, or a rule
 * about client certificates that no client must show.
 */
import type { TlsSettings } from "../platform/tls-settings.js";
import type { Address } from "./address.js";
import { cipherSuiteNames, isOfTls13, openSslName } from "./cipher-suites.js";
import { UsageError } from "./flags.js";
import type { Values } from "./values.js";

/** @param metrics the addresses for metrics use the same certificate */
export function clientTlsOf(
  values: Values,
  addresses: readonly Address[],
  metrics: readonly Address[],
): TlsSettings {
  const config: TlsSettings = {
    ...commonOf(values, ""),
    crlFile: values.text("client-crl-file"),
    // Only the configuration file has this key.
    allowedCommonNames: values.list("client-cert-allowed-cn"),
    allowedHostnames: values.list("client-cert-allowed-hostname"),
    // etcd compares the address of peers only.
    skipsClientHost: true,
  };
  check(config, "--listen-client-urls", addresses, metrics);
  return config;
}

/** The settings for the addresses of peers. @throws UsageError */
export function peerTlsOf(values: Values, addresses: readonly Address[]): TlsSettings {
  const config: TlsSettings = {
    ...commonOf(values, "peer-"),
    crlFile: values.text("peer-crl-file"),
    allowedCommonNames: values.list("peer-cert-allowed-cn"),
    allowedHostnames: values.list("peer-cert-allowed-hostname"),
    skipsClientHost: values.boolean("peer-skip-client-san-verification"),
  };
  check(config, "--listen-peer-urls", addresses, []);
  return config;
}

type Common = Omit<
  TlsSettings,
  "crlFile" | "allowedCommonNames" | "allowedHostnames" | "skipsClientHost"
>;

function commonOf(values: Values, flagPrefix: "" | "peer-"): Common {
  const file = (name: string): string => values.text(`${flagPrefix}${name}`);
  const years = values.positive("self-signed-cert-validity");
  const isAuto = values.boolean(`${flagPrefix}auto-tls`);
  const versions = versionsOf(values);
  return {
    ...{ flagPrefix, ...versions },
    certFile: file("cert-file"),
    keyFile: file("key-file"),
    clientCertFile: file("client-cert-file"),
    clientKeyFile: file("client-key-file"),
    trustedCaFile: file("trusted-ca-file"),
    clientCertAuth: values.boolean(`${flagPrefix}client-cert-auth`),
    ciphers: ciphersOf(values, versions.minVersion),
    // As in etcd, a given certificate is used instead of a generated one.
    selfSignedYears: isAuto && file("cert-file") === "" ? years : undefined,
  };
}

function versionsOf(values: Values): Pick<TlsSettings, "minVersion" | "maxVersion"> {
  const read = (name: string, whenEmpty: TlsSettings["minVersion"]): TlsSettings["minVersion"] => {
    const text = values.text(name);
    if (text === "") return whenEmpty;
    if (text === "TLS1.2") return "TLSv1.2";
    if (text === "TLS1.3") return "TLSv1.3";
    throw values.invalid(name, `unexpected TLS version "${text}" (must be one of: TLS1.2, TLS1.3)`);
  };
  const minVersion = read("tls-min-version", "TLSv1.2");
  const maxVersion = read("tls-max-version", "TLSv1.3");
  if (minVersion > maxVersion) {
    throw new UsageError(
      `min version (${values.text("tls-min-version")}) is greater than max version (${values.text("tls-max-version")})`,
    );
  }
  return { minVersion, maxVersion };
}

function ciphersOf(values: Values, minVersion: string): string | undefined {
  const names = values.list("cipher-suites");
  if (names.length === 0) return undefined;
  if (minVersion === "TLSv1.3") {
    throw new UsageError("cipher suites cannot be configured when only TLS1.3 is enabled");
  }
  const openSsl: string[] = [];
  for (const name of names) {
    const known = openSslName(name);
    if (known !== undefined) openSsl.push(known);
    else if (!isOfTls13(name)) {
      const there = `there are ${cipherSuiteNames.join(", ")}`;
      throw values.invalid("cipher-suites", `unexpected TLS cipher suite "${name}"; ${there}`);
    }
  }
  if (openSsl.length === 0) {
    throw values.invalid("cipher-suites", "name at least one suite of TLS1.2, or ask for TLS1.3");
  }
  return openSsl.join(":");
}

function check(
  config: TlsSettings,
  listenFlag: string,
  addresses: readonly Address[],
  others: readonly Address[],
): void {
  const flag = (name: string): string => `--${config.flagPrefix}${name}`;
  const { certFile, keyFile, trustedCaFile, clientCertAuth, selfSignedYears } = config;
  const hasTls = addresses.some(({ isTls }) => isTls);
  const hasCertificate = certFile !== "" || keyFile !== "" || selfSignedYears !== undefined;
  const needsCertificate = hasTls || others.some(({ isTls }) => isTls);
  if (needsCertificate && !hasCertificate) {
    throw new UsageError(
      `TLS key/cert (${flag("cert-file")}, ${flag("key-file")}) must be provided for ${listenFlag} with HTTPS scheme, or ${flag("auto-tls")}`,
    );
  }
  const asked = [
    ...(certFile === "" ? [] : [flag("cert-file")]),
    ...(selfSignedYears === undefined ? [] : [flag("auto-tls")]),
    ...(clientCertAuth ? [flag("client-cert-auth")] : []),
    ...(trustedCaFile === "" ? [] : [flag("trusted-ca-file")]),
  ];
  if (!hasTls && asked.length > 0) {
    throw new UsageError(
      `${asked.join(", ")}: no URL of ${listenFlag} begins with https:// (or unixs://), so all traffic would be plain text. Change the URLs, or leave the flags out`,
    );
  }
  if (clientCertAuth && trustedCaFile === "" && selfSignedYears !== undefined) {
    throw new UsageError(
      `${flag("client-cert-auth")} with ${flag("auto-tls")} needs ${flag("trusted-ca-file")}: nobody has signed the certificates of the others`,
    );
  }
  const rules = [
    ...(config.crlFile === ""
      ? []
      : [flag(config.flagPrefix === "" ? "client-crl-file" : "crl-file")]),
    ...(config.allowedCommonNames.length === 0 ? [] : ["allowed-cn"]),
    ...(config.allowedHostnames.length === 0 ? [] : ["allowed-hostname"]),
  ];
  if (rules.length > 0 && !clientCertAuth && trustedCaFile === "") {
    throw new UsageError(
      `${rules.join(", ")}: nobody must show a certificate, so the rule would bind nobody. Add ${flag("client-cert-auth")} and ${flag("trusted-ca-file")}`,
    );
  }
  if (config.allowedCommonNames.length > 0 && config.allowedHostnames.length > 0) {
    throw new UsageError(
      `the allowed common names and host names are mutually exclusive (${flag("cert-allowed-cn")}, ${flag("cert-allowed-hostname")})`,
    );
  }
}
