/**
 * What a member begins with when a cluster is founded: the ids of its members, and the log of this one.
 * All founding members compute the same from the same configuration.
 */
import { StartError } from "../../base/errors.js";
import type { Hash } from "../../platform/hash.js";
import type { Platform } from "../../platform/platform.js";
import type { ConfState, HardState, SnapshotMeta } from "../../raft/types.js";
import { clusterId as computeClusterId, memberId } from "../../state/cluster/ids.js";
import type { MemberRecord } from "../../state/types.js";
import { createWal, type LogIdentity, type Wal } from "../../wal/wal.js";
import type { MemberConfig } from "../config.js";
import { drawIncarnation } from "../incarnation/known-incarnations.js";

/** The folder of the log below the data directory. */
export const walDir = "wal";
/** The name of a new member's first backend. Each later state has another name. */
export const firstBackend = "state-0";
/** The founding state counts as the first log entry, of term 1. */
export const foundingIndex = 1;
export const foundingTerm = 1;

/** The cluster that the configuration names. `members`: in the order of --initial-cluster. */
export interface FoundingCluster {
  readonly clusterId: bigint;
  readonly self: MemberRecord;
  readonly members: readonly MemberRecord[];
  readonly confState: ConfState;
}

type FoundingConfig = Pick<MemberConfig, "name" | "initialCluster" | "initialClusterToken">;

/** In the order of --initial-cluster. */
export function foundingIds(
  { initialCluster, initialClusterToken: token }: FoundingConfig,
  { sha1 }: Pick<Hash, "sha1">,
): bigint[] {
  return initialCluster.map(({ peerUrls }) =>
    memberId({ peerUrls, token, unixSeconds: undefined }, sha1),
  );
}

/** @throws StartError if the configuration lacks this member */
export function foundingCluster(config: FoundingConfig, hash: Pick<Hash, "sha1">): FoundingCluster {
  const { name, initialCluster } = config;
  const ids = foundingIds(config, hash);
  const members: MemberRecord[] = initialCluster.map(({ peerUrls }, place) => ({
    ...{ id: ids[place] as bigint, name: "", peerUrls, clientUrls: [] },
    isLearner: false,
  }));
  const self = members[initialCluster.findIndex((member) => member.name === name)];
  if (self === undefined) {
    throw new StartError(`couldn't find local name "${name}" in the initial cluster configuration`);
  }
  const voters = members.map((member) => member.id).sort((a, b) => (a < b ? -1 : 1));
  const confState = {
    ...{ voters, learners: [], votersOutgoing: [], learnersNext: [] },
    autoLeave: false,
  };
  return { clusterId: computeClusterId(voters, hash.sha1), self, members, confState };
}

/** The log of a founding member whose state is that of the entry at `index`. */
export function foundingLog(
  { clusterId, self, confState }: FoundingCluster,
  index: number,
  rng: Platform["rng"],
): LogStart & { readonly meta: SnapshotMeta } {
  return {
    identity: {
      ...{ clusterId, memberId: self.id },
      ...{ incarnation: drawIncarnation(rng), isJoiner: false },
    },
    hardState: { term: foundingTerm, vote: 0n, commit: index },
    meta: { index, term: foundingTerm, confState },
  };
}

export interface LogStart {
  readonly identity: LogIdentity;
  readonly hardState: HardState;
  /** Undefined: the log begins with nothing. */
  readonly meta: SnapshotMeta | undefined;
}

/**
 * Call it when the state is durable: where a log is, all else is complete. Durable when it returns.
 * @throws the disk's errors
 */
export function foundLog(
  { disk, rng }: Pick<Platform, "disk" | "rng">,
  { identity, hardState, meta }: LogStart,
  segmentBytes: number,
): Wal {
  const salt = rng.fork("wal").int(2 ** 32);
  const founding = { metadata: identity, salt, hardState, marker: meta };
  return createWal(disk, founding, { dir: walDir, segmentBytes });
}
