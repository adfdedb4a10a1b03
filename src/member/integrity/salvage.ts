/**
 * Where raft can go on although the state is not to be trusted: index, term and members, read from
 * the damaged backend as far as its rows prove themselves, else from the log's marker and the flags.
 */
import { DamageError } from "../../base/errors.js";
import type { Backend } from "../../platform/backend.js";
import type { Sha256 } from "../../platform/hash.js";
import type { Platform } from "../../platform/platform.js";
import { ClusterState } from "../../state/cluster/cluster-state.js";
import { memberId } from "../../state/cluster/ids.js";
import { DigestSet } from "../../state/digest.js";
import { readMeta } from "../../state/meta.js";
import { RowReader } from "../../state/rows.js";
import type { ClusterReader, MemberRecord } from "../../state/types.js";
import type { Recovered } from "../../wal/wal.js";
import type { MemberConfig } from "../config.js";

export interface Salvaged {
  readonly index: number;
  readonly term: number;
  readonly cluster: Pick<ClusterReader, "clusterId" | "members" | "removed" | "clusterVersion">;
}

export function salvage(
  world: {
    readonly platform: Platform;
    readonly config: MemberConfig;
    readonly recovered: Recovered;
  },
  backend: Backend | undefined,
): Salvaged {
  const marker = world.recovered.snapshot;
  const stored = backend && readStored(backend, world.platform.hash.sha256);
  const last = world.recovered.entries.at(-1)?.index ?? marker?.index ?? 0;
  const isWithinLog =
    stored !== undefined && stored.index >= (marker?.index ?? 0) && stored.index <= last;
  if (isWithinLog) return stored;
  const { clusterId } = world.recovered.metadata;
  const known = stored?.cluster.members() ?? [];
  const voters = marker?.confState.voters ?? [];
  const learners = marker?.confState.learners ?? [];
  const members = [...voters, ...learners].map(
    (id) => known.find((member) => member.id === id) ?? founder(world, id, learners.includes(id)),
  );
  return {
    index: marker?.index ?? 0,
    term: marker?.term ?? 0,
    cluster: {
      clusterId,
      members: () =>
        members.map((member) => ({ ...member, isLearner: learners.includes(member.id) })),
      removed: () => stored?.cluster.removed() ?? new Set<bigint>(),
      clusterVersion: () => stored?.cluster.clusterVersion() ?? "",
    },
  };
}

/** Undefined: the rows that are needed are damaged too. */
function readStored(backend: Backend, sha256: Sha256): Salvaged | undefined {
  try {
    const meta = readMeta(backend, new DigestSet(sha256));
    const cluster = new ClusterState();
    cluster.restore(new RowReader(backend));
    if (meta === undefined || cluster.members().length === 0) return undefined;
    return { index: meta.index, term: meta.term, cluster };
  } catch (error) {
    if (error instanceof DamageError) return undefined;
    throw error;
  }
}

/** A member of the founding configuration, as the flags name it. */
function founder(
  world: { readonly platform: Platform; readonly config: MemberConfig },
  id: bigint,
  isLearner: boolean,
): MemberRecord {
  const { config, platform } = world;
  const named = config.initialCluster.find(({ peerUrls }) => {
    const token = config.initialClusterToken;
    return memberId({ peerUrls, token, unixSeconds: undefined }, platform.hash.sha1) === id;
  });
  return { id, name: "", peerUrls: named?.peerUrls ?? [], clientUrls: [], isLearner };
}
