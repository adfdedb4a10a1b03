/**
 * Finds founding members in DNS (--discovery-srv): SRV records of `_etcd-server-ssl._tcp.DOMAIN`
 * for https URLs and of `_etcd-server._tcp.DOMAIN` for http URLs, as etcd reads them. This member
 * finds itself among them by its own peer URLs. Clients look for `_etcd-client` in the same way.
 */
import { promises as dns, type SrvRecord } from "node:dns";
import { StartError } from "../../base/errors.js";
import { leadToSame } from "./same-addresses.js";

export interface SrvQuestion {
  readonly domain: string;
  /** --discovery-srv-name; "": none. */
  readonly suffix: string;
  readonly name: string;
  readonly advertised: readonly string[];
}

export type ResolveSrv = (name: string) => Promise<SrvRecord[]>;

/**
 * The text of --initial-cluster. Other members get numbers as names.
 *
 * @throws StartError when no record is found, or none is this member
 */
export async function clusterFromSrv(
  { domain, suffix, name, advertised }: SrvQuestion,
  resolve: ResolveSrv = dns.resolveSrv,
): Promise<string> {
  const { urls, failures } = await urlsOf("etcd-server", domain, suffix, resolve);
  if (urls.length === 0) {
    throw new StartError(
      `--discovery-srv: no SRV record names a member (${failures.join("; ")}); check the domain, or give --initial-cluster`,
    );
  }
  const parts: string[] = [];
  let others = 0;
  let isFound = false;
  for (const url of urls.sort()) {
    const isOwn = await isOneOf(url, advertised);
    isFound ||= isOwn;
    parts.push(`${isOwn ? name : others++}=${url}`);
  }
  if (isFound) return parts.join(",");
  throw new StartError(
    `--discovery-srv: none of ${urls.join(", ")} is one of --initial-advertise-peer-urls=${advertised.join(",")}`,
  );
}

/**
 * The URLs of clients from the records of `_etcd-client-ssl._tcp.DOMAIN` and `_etcd-client._tcp.DOMAIN`.
 *
 * @param suffix --discovery-srv-name; "": none
 * @throws StartError when there are none
 */
export async function endpointsFromSrv(
  domain: string,
  suffix: string,
  resolve: ResolveSrv = dns.resolveSrv,
): Promise<string[]> {
  const { urls, failures } = await urlsOf("etcd-client", domain, suffix, resolve);
  if (urls.length > 0) return urls;
  throw new StartError(
    `--discovery-srv: no SRV record names an endpoint (${failures.join("; ")}); check the domain, or give --endpoints`,
  );
}

/** https first; `failures` says why a name has no records. */
async function urlsOf(
  service: string,
  domain: string,
  suffix: string,
  resolve: ResolveSrv,
): Promise<{ readonly urls: string[]; readonly failures: string[] }> {
  const urls: string[] = [];
  const failures: string[] = [];
  for (const [kind, scheme] of [
    ["-ssl", "https"],
    ["", "http"],
  ] as const) {
    const asked = `_${service}${kind}${suffix === "" ? "" : `-${suffix}`}._tcp.${domain}`;
    try {
      for (const { name, port } of await resolve(asked)) {
        urls.push(`${scheme}://${name.replace(/\.$/, "")}:${port}`);
      }
    } catch (cause) {
      failures.push(`${asked}: ${(cause as Error).message}`);
    }
  }
  return { urls, failures };
}

async function isOneOf(url: string, advertised: readonly string[]): Promise<boolean> {
  for (const own of advertised) if (await leadToSame([url], [own])) return true;
  return false;
}
