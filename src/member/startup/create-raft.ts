/**
 * Creates the member's raft node: gives it the log to start from, and the member's settings in
 * raft's terms.
 */
import type { Platform } from "../../platform/platform.js";
import { createRaftNode } from "../../raft/node.js";
import type { RaftNode, SnapshotMeta } from "../../raft/types.js";
import { type MemberConfig, raftLimits } from "../config.js";
import type { Booted } from "./boot.js";

/** `snapshot` gives the snapshot that may be offered to a follower that lags behind the log. */
export function createMemberRaft(
  world: { readonly platform: Platform; readonly config: MemberConfig },
  booted: Booted,
  snapshot: () => SnapshotMeta | undefined,
): RaftNode {
  const { log, hardState, machine } = booted;
  const { config } = world;
  log.start({ hardState, confState: machine.confState, snapshot });
  return createRaftNode(
    {
      id: booted.memberId,
      electionTicks: Math.round(config.electionMs / config.heartbeatMs),
      heartbeatTicks: 1,
      preVote: config.preVote,
      checkQuorum: true,
      ...raftLimits,
      appliedIndex: machine.appliedIndex,
    },
    log,
    world.platform.rng.fork("raft"),
  );
}
