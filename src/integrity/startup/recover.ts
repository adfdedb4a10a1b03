/**
 * Finds the point from which raft can go on when the state cannot be trusted: the log's last
 * snapshot marker, with the voters that stand in it, and the log after it. The marker may name
 * voters of a later index. They were committed too, and applying the same changes again changes
 * nothing. The damaged backend may name a wrong index or lack a voter. So only names and addresses
 * are taken from it, and only from rows whose check values hold.
 */
import { DamageError } from "../../base/errors.js";
import { InvariantViolation } from "../../base/invariant.js";
import type { Backend } from "../../platform/backend.js";
import type { Platform } from "../../platform/platform.js";
import { EntryType } from "../../raft/types.js";
import { AuthTable } from "../../state/auth/auth-table.js";
import type { AuthReader } from "../../state/auth/types.js";
import { ClusterState } from "../../state/cluster/cluster-state.js";
import { memberId } from "../../state/cluster/ids.js";
import { RowReader } from "../../state/rows.js";
import type { ClusterReader, MemberRecord } from "../../state/types.js";
import type { Recovered } from "../../wal/wal.js";
import { ConfChangeRequest, ConfChangeRequest_Type } from "../../wire/gen/internal.js";

export interface RecoveredCluster {
  readonly index: number;
  readonly term: number;
  readonly cluster: Pick<ClusterReader, "clusterId" | "members" | "removed" | "clusterVersion">;
  /** The state has no users if their rows are damaged. A recovered state serves no keys. */
  readonly auth: AuthReader;
}

/** What recovery needs besides the log: founding members are known by the configuration. */
export interface RecoveryWorld {
  readonly platform: Pick<Platform, "hash">;
  readonly config: {
    readonly initialCluster: readonly { readonly peerUrls: readonly string[] }[];
    readonly initialClusterToken: string;
  };
}

/**
 * The cluster at the log's marker. `backend` undefined: it cannot be opened. Damaged rows do not
 * count; a voter without a readable row is taken from the configuration.
 */
export function recoverCluster(
  world: RecoveryWorld & { readonly recovered: Recovered },
  backend: Backend | undefined,
): RecoveredCluster {
  const marker = world.recovered.snapshot;
  const stored = backend && readStored(backend);
  const { clusterId } = world.recovered.metadata;
  const known = stored?.members() ?? [];
  const voters = marker?.confState.voters ?? [];
  const learners = marker?.confState.learners ?? [];
  const members = [...voters, ...learners].map(
    (id) => known.find((member) => member.id === id) ?? founder(world, id, learners.includes(id)),
  );
  const later = removedLater(world.recovered);
  return {
    index: marker?.index ?? 0,
    term: marker?.term ?? 0,
    auth: backend === undefined ? new AuthTable() : readAuth(backend),
    cluster: {
      clusterId,
      members: () =>
        members.map((member) => ({ ...member, isLearner: learners.includes(member.id) })),
      removed: () => new Set([...(stored?.removed() ?? [])].filter((id) => !later.has(id))),
      clusterVersion: () => stored?.clusterVersion() ?? "",
    },
  };
}

/** Undefined: the rows of members are damaged too. */
function readStored(backend: Backend): ClusterState | undefined {
  try {
    const cluster = new ClusterState();
    cluster.restore(new RowReader(backend));
    return cluster.members().length === 0 ? undefined : cluster;
  } catch (error) {
    if (error instanceof DamageError || error instanceof InvariantViolation) return undefined;
    throw error;
  }
}

function readAuth(backend: Backend): AuthReader {
  const auth = new AuthTable();
  try {
    auth.restore(new RowReader(backend));
    return auth;
  } catch (error) {
    if (error instanceof DamageError || error instanceof InvariantViolation) return new AuthTable();
    throw error;
  }
}

/** Members that later entries remove were not yet removed at the log's marker. */
function removedLater({ entries }: Recovered): ReadonlySet<bigint> {
  const changes = entries
    .filter(({ type, data }) => type !== EntryType.normal && data.length > 0)
    .map(({ data }) => ConfChangeRequest.decode(data));
  const removals = changes.filter(({ type }) => type === ConfChangeRequest_Type.REMOVE);
  return new Set(removals.map(({ node_id }) => node_id));
}

/** A member of the founding configuration, as the flags name it. */
function founder(world: RecoveryWorld, id: bigint, isLearner: boolean): MemberRecord {
  const { config, platform } = world;
  const named = config.initialCluster.find(({ peerUrls }) => {
    const token = config.initialClusterToken;
    return memberId({ peerUrls, token, unixSeconds: undefined }, platform.hash.sha1) === id;
  });
  return { id, name: "", peerUrls: named?.peerUrls ?? [], clientUrls: [], isLearner };
}
