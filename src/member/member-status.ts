/** What a member says of itself when it is asked, and what its metrics say of integrity. */
import type { RunningMember } from "./member.js";
import type { IntegrityNumbers } from "./metrics.js";
import type { MemberStatus } from "./types.js";

export function statusOf(member: RunningMember): MemberStatus {
  const { engine, machine, limits, version } = member;
  const raft = engine.raft.status();
  const sizes = engine.state.backend().sizes();
  const errors = machine
    .alarms()
    .map((record) => `memberID:${record.memberId} alarm:${record.alarm} `);
  if (raft.leader === 0n) errors.unshift("etcdserver: no leader");
  const quarantine = engine.monitor.quarantine();
  if (engine.monitor.divergence.own() !== undefined)
    errors.unshift("entries that are committed here are not in the leader's log");
  if (quarantine !== undefined) errors.unshift(`in quarantine: ${quarantine.reason}`);
  return {
    version,
    leader: raft.leader,
    raftIndex: raft.commit,
    raftTerm: raft.term,
    appliedIndex: machine.appliedIndex,
    dbSize: sizes.total,
    dbSizeInUse: sizes.inUse,
    isLearner: member.isLearner(),
    verifiedIndex: engine.monitor.comparison.verifiedIndex(),
    storageVersion: machine.cluster.clusterVersion(),
    downgradeTarget: machine.cluster.downgradeTarget(),
    quotaBytes: limits.quotaBytes,
    errors,
  };
}

/** A leader compares with everybody, a follower with its leader alone. */
export function integrityNumbersOf({
  id: selfId,
  engine,
  machine,
}: RunningMember): IntegrityNumbers {
  const { monitor, raft } = engine;
  const leader = raft.leader();
  const isCompared = (id: bigint): boolean => id !== selfId && (leader === selfId || leader === id);
  const peers = machine.cluster.members().filter(({ id }) => isCompared(id));
  return {
    peers: peers.map(({ id }) => ({ id, ...monitor.comparison.view(id) })),
    isInQuarantine: monitor.quarantine() !== undefined,
    isDiverged: monitor.divergence.own() !== undefined,
    incidents: monitor.incidents.begun,
    healed: monitor.healed,
  };
}
