/** How torture clients reach a cluster with TLS and passwords: ctl's flags, and one login for all. */

import type { CallResult, Connection } from "../../torture/ports.js";
import { authClientMethods } from "../ctl/auth/methods.js";
import { Flags } from "../ctl/flags.js";
import { complete } from "../ctl/method.js";
import { credentialsOf, type TlsFiles, tlsFlags, tlsOf } from "../endpoint-tls.js";
import { type EndpointUser, userFlags, userOf } from "../endpoint-user.js";

export interface ClusterAccess {
  /** For endpoints with https:// or without a scheme; undefined: no flag asks for TLS. */
  readonly tls: TlsFiles | undefined;
  readonly user: EndpointUser | undefined;
}

export const plainAccess: ClusterAccess = { tls: undefined, user: undefined };

const loginMs = 5_000;
const notEnabled = /authentication is not enabled/;
const names = Object.keys({ ...tlsFlags, ...userFlags });

/**
 * @param values as parseArgs gives them, with flags that are of no interest here
 * @throws Error with a text for people
 */
export function clusterAccessOf(
  values: Readonly<Record<string, unknown>>,
  endpoints: readonly string[],
): ClusterAccess {
  const given = names.filter((name) => values[name] !== undefined);
  if (endpoints.length === 0 && given.length > 0) {
    throw new Error(`--${given[0]} is for --endpoints only`);
  }
  const flags = new Flags(
    new Map(given.map((name) => [name, values[name] as string | boolean])),
    new Set(given),
  );
  const access = { tls: tlsOf(flags), user: userOf(flags) };
  for (const endpoint of endpoints) credentialsOf(endpoint, access.tls);
  return access;
}

/**
 * The token of one user. Each member knows it, so that all connections share one login; the next call
 * after a refused token logs in anew.
 */
export class SharedLogin {
  readonly #user: EndpointUser;
  readonly #endpoints: readonly string[];
  readonly #connect: (endpoint: string) => Connection;
  #pending: Promise<CallResult | undefined> | undefined;
  /** The token of the last login. Undefined: none yet, or the cluster takes calls without one. */
  token: string | undefined;

  /** @param parts.connect without a login */
  constructor(parts: {
    readonly user: EndpointUser;
    readonly endpoints: readonly string[];
    connect(endpoint: string): Connection;
  }) {
    this.#user = parts.user;
    this.#endpoints = parts.endpoints;
    this.#connect = (endpoint) => parts.connect(endpoint);
  }

  /** Resolves when `token` is that of a login. Why there is none, or undefined. */
  ready(): Promise<CallResult | undefined> {
    this.#pending ??= this.#logIn();
    return this.#pending;
  }

  /** A member did not take this token. */
  refused(token: string | undefined): void {
    if (token === this.token) this.#pending = undefined;
  }

  /** At the first member that answers. */
  async #logIn(): Promise<CallResult | undefined> {
    const { path, request, response } = authClientMethods.authenticate;
    const bytes = request.encode(complete(request, this.#user)).finish();
    let failure: CallResult | undefined;
    for (const endpoint of this.#endpoints) {
      const connection = this.#connect(endpoint);
      const result = await connection.call(path, bytes, loginMs);
      connection.close();
      if (result.kind === "ok") {
        this.token = response.decode(result.bytes).token;
        return undefined;
      }
      if (notEnabled.test(result.text)) return undefined;
      failure = { ...result, text: `cannot log in: ${result.text}`, isUnsent: true };
    }
    this.#pending = undefined;
    return failure;
  }
}
