/** --auth-token (simple, or jwt with its options behind commas), --auth-token-ttl and --bcrypt-cost. */
import { type AuthConfig, defaultMemberConfig } from "../member/config.js";
import type { Values } from "./values.js";

export interface JwtOptions {
  readonly method: string;
  /** File names; undefined: not given. */
  readonly publicKeyFile: string | undefined;
  readonly privateKeyFile: string | undefined;
}

const known = ["pub-key", "priv-key", "sign-method", "ttl"];
const methods = /^(RS|PS|ES|HS)(256|384|512)$|^EdDSA$/;

/** `jwt` undefined: simple tokens. @throws UsageError */
export function authOf(values: Values): { auth: AuthConfig; jwt: JwtOptions | undefined } {
  const bcryptCost = values.integer("bcrypt-cost");
  if (bcryptCost < 4 || bcryptCost > 31) throw values.invalid("bcrypt-cost", "it must be 4 to 31");
  const ttlSeconds = values.integer("auth-token-ttl");
  const { auth: initial } = defaultMemberConfig;
  const simpleTtlMs = ttlSeconds > 0 ? ttlSeconds * 1_000 : initial.tokenTtlMs;
  const options = tokenOptions(values);
  const usesCertificates = values.boolean("client-cert-auth");
  if (options === undefined) {
    return { auth: { bcryptCost, usesCertificates, tokenTtlMs: simpleTtlMs }, jwt: undefined };
  }
  const ttl = options.get("ttl") ?? "";
  const tokenTtlMs = ttl === "" ? initial.tokenTtlMs : values.durationOf("auth-token", ttl);
  return { auth: { bcryptCost, usesCertificates, tokenTtlMs }, jwt: jwtOf(values, options) };
}

/** Undefined: simple tokens. Their options have no meaning, as in etcd. */
function tokenOptions(values: Values): ReadonlyMap<string, string> | undefined {
  const fault = (why: string) => values.invalid("auth-token", why);
  const [kind = "", ...parts] = values.text("auth-token").split(",");
  if (kind !== "simple" && kind !== "jwt") throw fault('the kind must be "simple" or "jwt"');
  const options = new Map<string, string>();
  for (const part of parts) {
    const [name = "", value, ...more] = part.split("=");
    if (value === undefined || more.length > 0) throw fault(`"${part}" is not name=value`);
    if (options.has(name)) throw fault(`${name} stands twice`);
    if (kind === "jwt" && !known.includes(name)) {
      throw fault(`there is no option "${name}", only ${known.join(", ")}`);
    }
    options.set(name, value);
  }
  return kind === "simple" ? undefined : options;
}

function jwtOf(values: Values, options: ReadonlyMap<string, string>): JwtOptions {
  const method = options.get("sign-method") ?? "";
  if (!methods.test(method)) {
    const forms = "RS, PS, ES or HS with 256, 384 or 512, or EdDSA";
    throw values.invalid("auth-token", `sign-method must be one of ${forms}`);
  }
  return {
    method,
    publicKeyFile: options.get("pub-key") || undefined,
    privateKeyFile: options.get("priv-key") || undefined,
  };
}
