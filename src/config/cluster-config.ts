/** Reads --initial-cluster: the founding members, or the members that a joining one may ask. */
import type { MemberConfig } from "../member/config.js";
import { UsageError } from "./flags.js";
import type { Values } from "./values.js";

export interface ClusterConfig {
  readonly members: MemberConfig["initialCluster"];
  /**
   * This member's URLs in --initial-cluster, if their text differs from the advertised ones. They
   * may still be the same addresses, once by name and once by number.
   */
  readonly toCompare: readonly string[] | undefined;
}

/**
 * For a start with data. Nothing is compared, and an unreadable entry is left out. The named
 * members may still be asked where the others are.
 */
export function clusterOfRestart(values: Values): ClusterConfig {
  try {
    return { members: membersOf(values, values.list("initial-cluster")), toCompare: undefined };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return { members: [], toCompare: undefined };
  }
}

/** @throws UsageError when this member is not named, or an entry is no name=URL */
export function clusterOf(
  values: Values,
  self: string,
  advertised: readonly string[],
): ClusterConfig {
  const given = values.list("initial-cluster");
  const parts = given.length > 0 ? given : advertised.map((url) => `${self}=${url}`);
  const members = membersOf(values, parts);
  const own = members.find(({ name }) => name === self)?.peerUrls;
  if (own === undefined) {
    const others = members.map(({ name }) => name).join(", ");
    throw new UsageError(
      `couldn't find local name "${self}" in the initial cluster configuration (it names ${others}): --name must be one of them`,
    );
  }
  const isSame = own.join(",") === advertised.join(",");
  return { members, toCompare: isSame ? undefined : own };
}

/** @throws UsageError */
function membersOf(values: Values, parts: readonly string[]): MemberConfig["initialCluster"] {
  const members = new Map<string, Set<string>>();
  for (const part of parts) {
    const at = part.indexOf("=");
    if (at <= 0) throw new UsageError(`invalid --initial-cluster: "${part}" is not name=URL`);
    const name = part.slice(0, at).trim();
    const urls = members.get(name) ?? new Set();
    urls.add(values.url(part.slice(at + 1).trim(), "initial-cluster"));
    members.set(name, urls);
  }
  return [...members].map(([name, urls]) => ({ name, peerUrls: [...urls].sort() }));
}
