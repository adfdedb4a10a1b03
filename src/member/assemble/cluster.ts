/** Makes the parts that keep the membership, the members' attributes and the cluster's version. */

import { MemberAttributes } from "../cluster/member-attributes.js";
import { MemberChanges } from "../cluster/member-changes.js";
import { Membership } from "../cluster/membership.js";
import { QuorumWatch } from "../cluster/quorum-watch.js";
import { VersionMonitor } from "../cluster/version-monitor.js";
import type { Wiring } from "./wiring.js";

export function createAttributes(w: Wiring): MemberAttributes {
  const { platform, config } = w;
  return new MemberAttributes({
    clock: platform.clock,
    selfId: w.booted.memberId,
    name: config.name,
    clientUrls: config.advertiseClientUrls,
    serverVersion: config.serverVersion,
    incarnation: w.incarnations.own,
    cluster: () => w.machine().cluster,
    hasLeader: () => w.raft.leader() !== 0n,
    propose: (field, body, done) => w.proposer.proposeInternal(field, body, done),
    published: () => w.readiness.published(),
  });
}

export function createVersionMonitor(w: Wiring): VersionMonitor {
  return new VersionMonitor({
    clock: w.platform.clock,
    serverVersion: w.config.serverVersion,
    cluster: () => w.machine().cluster,
    isLeader: () => w.raft.isLeader(),
    propose: (field, body, done) => w.proposer.proposeInternal(field, body, done),
  });
}

export function createMembership(w: Wiring): Membership {
  const { platform, network, config } = w;
  return new Membership({
    selfId: w.booted.memberId,
    hash: platform.hash,
    isStrict: config.strictReconfigCheck,
    learnersMax: config.learnersMax,
    cluster: () => w.machine().cluster,
    nowMs: () => platform.clock.now(),
    unixMs: () => platform.clock.unixMs(),
    activeSince: (id) => network.activeSince(id),
    raftStatus: () => w.raft.status(),
  });
}

export function createQuorumWatch(w: Wiring): QuorumWatch {
  return new QuorumWatch({
    log: w.platform.log,
    selfId: w.booted.memberId,
    electionMs: w.config.electionMs,
    hasLeader: () => w.raft.leader() !== 0n,
    voters: () => w.machine().confState.voters,
    activeSince: (id) => w.network.activeSince(id),
  });
}

export function createChanges(w: Wiring): MemberChanges {
  return new MemberChanges({
    peers: w.peers,
    membership: w.membership,
    change: (rpc, request, done) => w.gate.change(rpc, request, done),
    isLeader: () => w.raft.isLeader(),
    askLeader: (question, done) => w.leaderRequests.ask(question, done),
    readBarrier: (done) => w.gate.barrier(done),
    members: () => w.machine().cluster.members(),
  });
}
