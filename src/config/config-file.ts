/** The configuration file: YAML whose keys are the flags' names, and two groups of etcd's about TLS. */
import { parse as parseYaml } from "yaml";
import { findFlag, UsageError, unknownFlag } from "./flags.js";

/** Keys of etcd's groups, and the flag that each stands for. */
const groups: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "client-transport-security": tlsKeys(""),
  "peer-transport-security": tlsKeys("peer-"),
  "socket-options": { "reuse-port": "socket-reuse-port", "reuse-address": "socket-reuse-address" },
  "discovery-config": Object.fromEntries(
    ["token", "endpoints", "dial-timeout", "request-timeout", "keepalive-time", "keepalive-timeout"]
      .concat(["insecure-transport", "insecure-skip-tls-verify", "cert", "key", "cacert", "user"])
      .concat(["password"])
      .map((key) => [key, `discovery-${key}`]),
  ),
};

function tlsKeys(prefix: "" | "peer-"): Readonly<Record<string, string>> {
  const same = ["cert-file", "key-file", "client-cert-file", "client-key-file", "client-cert-auth"]
    .concat(["trusted-ca-file", "auto-tls"])
    .map((key) => [key, `${prefix}${key}`]);
  const cert = prefix === "" ? "client-cert" : "peer-cert";
  return {
    ...Object.fromEntries(same),
    "crl-file": prefix === "" ? "client-crl-file" : "peer-crl-file",
    ...{ "allowed-cn": `${cert}-allowed-cn`, "allowed-cns": `${cert}-allowed-cn` },
    ...{ "allowed-hostname": `${cert}-allowed-hostname` },
    ...{ "allowed-hostnames": `${cert}-allowed-hostname` },
    "skip-client-san-verification": `${prefix || "client-"}skip-client-san-verification`,
  };
}

/** A key without a value is as if absent. @throws UsageError */
export function readConfigFile(text: string): Map<string, string> {
  let document: unknown;
  try {
    document = parseYaml(text);
  } catch (error) {
    throw new UsageError(`the configuration file is no YAML: ${(error as Error).message}`);
  }
  if (!isMap(document)) throw new UsageError("the configuration file must hold keys and values");
  const values = new Map<string, string>();
  for (const [key, value] of Object.entries(document)) {
    const group = groups[key];
    if (value === null) continue;
    if (group === undefined) read(values, key, value, key);
    else if (isMap(value)) readGroup(values, key, group, value);
    else throw new UsageError(`configuration file: "${key}" must hold keys and values`);
  }
  return values;
}

function readGroup(
  values: Map<string, string>,
  name: string,
  group: Readonly<Record<string, string>>,
  entries: Readonly<Record<string, unknown>>,
): void {
  for (const [key, value] of Object.entries(entries)) {
    const flag = group[key];
    if (flag === undefined) {
      const known = Object.keys(group).join(", ");
      throw new UsageError(`configuration file: "${name}" has no key "${key}"; there are ${known}`);
    }
    if (value !== null) read(values, flag, value, `${name}.${key}`);
  }
}

function read(values: Map<string, string>, name: string, value: unknown, where: string): void {
  const known = findFlag(name);
  if (known === undefined) throw new UsageError(`configuration file: ${unknownFlag(name)}`);
  const isList = Array.isArray(value) && value.every((part) => typeof part !== "object");
  if (typeof value === "object" && !isList) {
    throw new UsageError(
      `configuration file: "${where}" must be a text, a number or a list of them`,
    );
  }
  const isNanoseconds = known.kind === "duration" && typeof value === "number";
  values.set(known.name, isNanoseconds ? `${value / 1e6}ms` : String(value));
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
