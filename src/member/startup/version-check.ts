/**
 * Whether this build may take part in the cluster: the replicated cluster version says by which
 * rules entries are applied, and a build knows those of its own minor and of the one below. Asked
 * before anything is served, and whenever the cluster's version changes.
 */
import { StartError } from "../../base/errors.js";
import { mayServe, minorsAhead, parseVersion, versionText } from "../../state/cluster/version.js";

/** Undefined: it may. `cluster` empty: not decided yet, or not known. */
export function versionRefusal(server: string, cluster: string): StartError | undefined {
  const own = parseVersion(server);
  if (own === undefined) return new StartError(`"${server}" is no server version`);
  const other = parseVersion(cluster);
  if (other === undefined || mayServe(server, cluster)) return undefined;
  const both = `this server is ${server}, the cluster ${cluster}`;
  if (minorsAhead(own, other) < 0) {
    return new StartError(
      `invalid downgrade; server version is lower than determined cluster version (${both}): start ${versionText(other)} or one minor above on this data directory, or downgrade the cluster first (etcdctl downgrade enable)`,
    );
  }
  return new StartError(
    `server version is more than one minor above the cluster version (${both}): start ${versionText(other)} or one minor above on this data directory, bring all members there, then go on minor by minor`,
  );
}
