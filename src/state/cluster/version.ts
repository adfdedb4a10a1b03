/**
 * Versions of the state machine: what "3.6.0" means to the members of one cluster. Only major and
 * minor count; all builds of one minor apply every entry alike. The cluster version is replicated,
 * so all members have the same one at the same index. Code that uses semantics newer than the
 * oldest version must ask `isAtLeast(cluster.clusterVersion(), ...)` first, and never the version
 * of its own build.
 */
import type { MemberRecord } from "../types.js";

export interface Version {
  readonly major: number;
  readonly minor: number;
}

/** The version of the first builds. Members and clusters that never named one have it. */
export const oldestVersion = "3.6.0";

const form = /^v?(\d{1,6})\.(\d{1,6})(\.\d{1,6}([-+][0-9A-Za-z.+-]{1,64})?)?$/;

/** Reads "3.7", "3.7.2", "v3.7.2-rc.1". Undefined: the text is no version. */
export function parseVersion(text: string): Version | undefined {
  const found = form.exec(text);
  return found === null ? undefined : { major: Number(found[1]), minor: Number(found[2]) };
}

/** The form of a cluster version: "3.7.0". */
export function versionText(version: Version): string {
  return `${version.major}.${version.minor}.0`;
}

/** How many minors `version` is ahead of `base`; negative if behind, infinite across majors. */
export function minorsAhead(version: Version, base: Version): number {
  if (version.major === base.major) return version.minor - base.minor;
  return version.major > base.major ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
}

/** True if `text` is version `since` or newer. Empty text: not decided yet. */
export function isAtLeast(text: string, since: string): boolean {
  return minorsAhead(knownVersion(text), knownVersion(since)) >= 0;
}

/** A member may take part while the cluster version is its own or one minor below. */
export function mayServe(server: string, cluster: string): boolean {
  const ahead = minorsAhead(knownVersion(server), knownVersion(cluster));
  return ahead === 0 || ahead === 1;
}

/**
 * The version that a leader of version `own` gives to a cluster that has none: the lowest one
 * known. Members that have not started yet may be one minor behind.
 */
export function initialVersion(own: string, members: readonly MemberRecord[]): string {
  const self = knownVersion(own);
  const below = { ...self, minor: Math.max(0, self.minor - 1) };
  const unknown = minorsAhead(below, knownVersion(oldestVersion)) < 0 ? self : below;
  let lowest = self;
  for (const { serverVersion } of members) {
    const version = serverVersion === undefined ? unknown : knownVersion(serverVersion);
    if (minorsAhead(version, lowest) < 0) lowest = version;
  }
  return versionText(lowest);
}

/**
 * The version one minor up, if every member has said that it runs at least that. Undefined: some
 * member has not. Members that have not started, or are too old to name a version, count as the
 * oldest version.
 */
export function nextVersion(cluster: string, members: readonly MemberRecord[]): string | undefined {
  const { major, minor } = knownVersion(cluster);
  const next = versionText({ major, minor: minor + 1 });
  const isKnown = ({ serverVersion }: MemberRecord): boolean =>
    serverVersion !== undefined && isAtLeast(serverVersion, next);
  return members.length > 0 && members.every(isKnown) ? next : undefined;
}

/** Text that is empty or no version stands for the oldest version. */
function knownVersion(text: string): Version {
  return parseVersion(text) ?? (parseVersion(oldestVersion) as Version);
}
