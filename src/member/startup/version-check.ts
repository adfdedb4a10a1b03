/**
 * Decides whether this build may take part in the cluster. The replicated cluster version says by
 * which rules entries are applied; a build knows the rules of its own minor version and of the one
 * below. It is asked before the member serves, and whenever the cluster version changes.
 */
import { StartError } from "../../base/errors.js";
import { mayServe, minorsAhead, parseVersion, versionText } from "../../state/cluster/version.js";

/** The cluster runs by the rules of another version than this build knows. */
export class ClusterVersionError extends StartError {
  /** The cluster version as "major.minor.patch". */
  readonly clusterVersion: string;

  constructor(clusterVersion: string, text: string) {
    super(text);
    this.clusterVersion = clusterVersion;
  }
}

/**
 * Why this build may not take part. Undefined: it may. An empty `cluster` means: not decided or not
 * known yet.
 */
export function versionRefusal(server: string, cluster: string): StartError | undefined {
  const own = parseVersion(server);
  if (own === undefined) return new StartError(`"${server}" is no server version`);
  const other = parseVersion(cluster);
  if (other === undefined || mayServe(server, cluster)) return undefined;
  const both = `this server is ${server}, the cluster ${cluster}`;
  if (minorsAhead(own, other) < 0) {
    return new ClusterVersionError(
      cluster,
      `invalid downgrade; server version is lower than determined cluster version (${both}): start ${versionText(other)} or one minor above on this data directory, or downgrade the cluster first (etcdctl downgrade enable)`,
    );
  }
  return new ClusterVersionError(
    cluster,
    `server version is more than one minor above the cluster version (${both}): start ${versionText(other)} or one minor above on this data directory, bring all members there, then go on minor by minor`,
  );
}
