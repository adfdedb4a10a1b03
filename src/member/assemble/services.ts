/** Makes the parts that serve requests of clients and of the member itself. */

import { Authenticator } from "../../auth/authenticator.js";
import { SignedTokens } from "../../auth/signed-tokens.js";
import { SimpleTokens } from "../../auth/simple-tokens.js";
import { KvError } from "../../base/errors.js";
import { LeaseDriver } from "../../lease/driver.js";
import { messageBytesMax } from "../../peers/codec.js";
import { LeaderRequests } from "../../peers/leader-requests.js";
import type { ClusterInfo, NetworkHandler } from "../../platform/network.js";
import { CompactionRequest } from "../../wire/gen/rpc.js";
import { RequestField } from "../../wire/proposal.js";
import { Compactor } from "../compactor.js";
import { requestTimeoutMs } from "../config.js";
import { Gate } from "../gate/gate.js";
import { Quota } from "../gate/quota.js";
import { noClient } from "../gate/requests.js";
import { AnswerBudget } from "../jobs/answer-budget.js";
import { AutoCompaction } from "../jobs/auto-compaction.js";
import { LeaseListJobs } from "../jobs/lease-lists.js";
import { Maintenance } from "../jobs/maintenance.js";
import { Reads } from "../jobs/reads.js";
import { RunningMember } from "../member.js";
import { answerPage } from "../peer-pages.js";
import type { MemberProbe } from "../probe.js";
import { Report } from "../report.js";
import type { Wiring } from "./wiring.js";

export function createQuota(w: Wiring): Quota {
  const parts = {
    selfId: w.booted.memberId,
    quotaBytes: w.config.limits.quotaBytes,
    endsByItself: w.config.nospaceEnd === "automatic",
    log: w.platform.log,
    machine: () => w.machine(),
    backendBytes: () => w.state.backend().sizes().total,
    isLeader: () => w.raft.isLeader(),
  };
  return new Quota(
    {
      ...parts,
      propose: (field, body, done) => w.proposer.proposeInternal(field, body, done),
      proposeAsLeader: (field, body) => w.proposer.proposeAsLeader(field, body),
      request: (to, method, body, done) => w.request(to, method, body, done),
    },
    w.peers,
  );
}

export function createGate(w: Wiring): Gate {
  const { clock } = w.platform;
  return new Gate({
    view: {
      requestBytesMax: w.config.limits.requestBytesMax,
      isStopping: () => w.lifecycle.isStopping(),
      isLearner: () => w.member.isLearner(),
      hasLeader: () => w.raft.leader() !== 0n,
      integrityRefusal: () => w.monitor.refusal(),
      alarms: () => w.machine().alarms(),
      committedIndex: () => w.raft.committedIndex(),
      appliedIndex: () => w.machine().appliedIndex,
      isQueueFull: () => w.proposals.isFull(),
      quotaRefusal: (growthBytes) => w.quota.check(growthBytes),
      isOutOfSpace: () => w.quota.isAlarmed(),
      quorumRefusal: (change) => w.membership.quorumRefusal(change),
    },
    propose: ({ field, body, caller }, done) => w.proposer.propose(field, body, done, caller),
    proposeChange: (change, done) => w.proposer.proposeChange(change, done),
    readBarrier: (done) => {
      w.reads.add(clock.now(), done);
      w.driver.schedule();
    },
    whenSure: (done) => w.monitor.whenSure(done),
  });
}

export function createAuthenticator(w: Wiring): Authenticator {
  const { clock, rng, passwords, signer } = w.platform;
  const { bcryptCost, tokenTtlMs: ttlMs, usesCertificates } = w.config.auth;
  const auth = () => w.machine().auth;
  return new Authenticator({
    ...{ clock, passwords, bcryptCost, usesCertificates, auth },
    tokens:
      signer === undefined
        ? new SimpleTokens({
            ...{ clock, rng: rng.fork("token"), ttlMs },
            appliedIndex: () => w.machine().appliedIndex,
            authRevision: () => auth().revision,
          })
        : new SignedTokens({ clock, signer, ttlMs }),
    readBarrier: (done) => w.gate.barrier(done),
    propose: (request, done) =>
      w.gate.write("/etcdserverpb.Auth/Authenticate", { ...request, client: noClient }, done),
  });
}

export function createLeaderRequests(w: Wiring): LeaderRequests {
  return new LeaderRequests({
    clock: w.platform.clock,
    timeoutMs: requestTimeoutMs(w.config),
    leader: () => w.raft.leader(),
    isLeader: () => w.raft.isLeader(),
    isStopping: () => w.lifecycle.isStopping(),
    activeSince: (id) => w.network.activeSince(id),
    request: (target, body, done) => w.peers.request(w.network, target, body, done),
  });
}

export function createLeases(w: Wiring): LeaseDriver {
  const { platform, config } = w;
  const { log } = w.booted;
  return new LeaseDriver(
    {
      clock: platform.clock,
      rng: platform.rng.fork("lease"),
      electionTicks: Math.round(config.electionMs / config.heartbeatMs),
      heartbeatMs: config.heartbeatMs,
      leases: () => w.machine().leases,
      isLeader: () => w.raft.isLeader(),
      proposeAsLeader: (field, body, isRight) => w.proposer.proposeAsLeader(field, body, isRight),
      entriesAfter: (index) =>
        log.entries(index + 1, log.lastIndex() + 1, Number.MAX_SAFE_INTEGER) ?? [],
      readBarrier: (done) => w.gate.barrier(done),
      listKeys: (id, done) => w.leaseLists.keys(id, done),
      lastIndex: () => log.lastIndex(),
      appliedIndex: () => w.machine().appliedIndex,
      askLeader: (question, done) => w.leaderRequests.ask(question, done),
    },
    w.peers,
  );
}

export function createCompactor(w: Wiring): Compactor {
  const { platform, config } = w;
  return new Compactor({
    clock: platform.clock,
    kv: () => w.machine().kv,
    isLeader: () => w.raft.isLeader(),
    propose: (step, done) => w.proposer.proposeInternal(RequestField.compactStep, step, done),
    rowsMax: config.compactionBatchLimit,
    sleepMs: config.compactionSleepMs,
  });
}

export function createAutoCompaction(w: Wiring): AutoCompaction {
  const { platform, config } = w;
  return new AutoCompaction({
    clock: platform.clock,
    config: config.autoCompaction,
    isLeader: () => w.raft.isLeader() && !w.lifecycle.isStopping(),
    revision: () => w.machine().kv.revision(),
    compact: (revision, done) => {
      const body = CompactionRequest.encode({
        revision: BigInt(revision),
        physical: false,
      }).finish();
      w.proposer.propose(RequestField.compaction, body, (applied) => {
        done(applied instanceof KvError ? applied : applied.outcome);
      });
    },
    log: platform.log,
  });
}

export function createMember(w: Wiring): RunningMember {
  const { memberId: id, clusterId } = w.booted;
  const { serverVersion, limits } = w.config;
  return new RunningMember({
    ...{ id, clusterId, limits, clock: w.platform.clock },
    ...{ watch: w.watch, state: w.state, raft: w.raft, gate: w.gate },
    ...{ monitor: w.monitor, leases: w.leases, changes: w.changes },
    ...{
      operations: w.operations,
      authenticator: w.authenticator,
      compactor: w.compactor,
      committer: w.committer,
      defragmenter: w.defragmenter,
    },
    ...{ leadership: w.leadership, readiness: w.readiness, lifecycle: w.lifecycle },
    ...{ probe: createProbe(w), network: createHandler(w), maintenance: w.maintenance },
    ...{ clientReads: createClientReads(w), leaseLists: w.leaseLists },
    report: new Report({
      ...{ selfId: id, serverVersion, quotaBytes: limits.quotaBytes },
      ...{ state: w.state, raft: w.raft, monitor: w.monitor, scrubber: w.scrubber },
      ...{ leadership: w.leadership, proposals: w.proposals, reads: w.reads },
      ...{ leases: w.leases, transfer: w.transfer, committer: w.committer, watch: w.watch },
      autoCompaction: w.autoCompaction,
      ...{ network: w.network, heartbeat: w.heartbeat, operations: w.operations },
      ...{ guard: w.guard, slowness: w.slowness, memberNews: w.memberNews, quorum: w.quorum },
      machine: () => w.machine(),
      isLearner: () => w.member.isLearner(),
    }),
    start: () => {
      w.booted.wal.onFailure(w.failed);
      w.links.sync();
      w.incarnations.start();
      w.monitor.start();
      w.autoCompaction.start();
      w.heartbeat.start();
      w.driver.schedule();
      const { voters } = w.machine().confState;
      // A lone voter need not wait for an election timeout.
      if (voters.length === 1 && voters[0] === id) w.driver.post({ kind: "campaign" });
      w.progressed();
    },
    requestFailed: (error) => w.requestFailed(error),
    failed: w.failed,
  });
}

function createClientReads(w: Wiring): Reads {
  return new Reads({
    jobs: w.jobs,
    clock: w.platform.clock,
    budget: new AnswerBudget(w.platform.clock),
    machine: () => w.machine(),
    refusal: () => (w.lifecycle.isStopping() ? new KvError("stopped") : w.monitor.refusal()),
    whenSure: (done) => w.monitor.whenSure(done),
    requestFailed: (error) => w.requestFailed(error),
  });
}

function createProbe(w: Wiring): MemberProbe {
  return {
    log: w.booted.log,
    raft: w.raft,
    scrubber: w.scrubber,
    fingerprints: w.monitor,
    incidents: w.monitor.incidents,
    isInstalling: () => w.driver.isInstalling(),
    isStopping: () => w.lifecycle.isStopping(),
    isInDoubt: () => w.monitor.isInDoubt(),
    quarantine: () => w.monitor.quarantine(),
    timesFound: () => w.monitor.found,
    timesHealed: () => w.monitor.healed,
    stateName: () => w.state.name(),
    machine: () => w.state.machine(),
    divergence: w.monitor.divergence,
    backend: () => w.state.backend(),
    durableIndex: () => w.committer.durableIndex(),
  };
}

export function createMaintenance(w: Wiring): Maintenance {
  const { log } = w.platform;
  return new Maintenance({
    jobs: w.jobs,
    ...{ log, state: w.state, committer: w.committer },
    damaged: w.failed,
  });
}

export function createLeaseLists(w: Wiring): LeaseListJobs {
  return new LeaseListJobs({
    ...{ jobs: w.jobs, log: w.platform.log, damaged: w.failed },
    leases: () => w.machine().leases,
    refusal: () => (w.lifecycle.isStopping() ? new KvError("stopped") : w.monitor.refusal()),
  });
}

/**
 * Takes what arrives from other members. If handling a message or a page fails, only that message
 * or page is lost; the member goes on.
 */
function createHandler(w: Wiring): NetworkHandler {
  const { links, incarnations, guard } = w;
  return {
    clusterId: () => w.booted.clusterId,
    memberId: () => w.booted.memberId,
    peerUrls: (id) => links.urlsOf(id),
    locate: (id, answer) => links.locate(id, answer),
    located: (id, urls) => links.located(id, urls),
    messageBytesMax,
    incarnation: () => incarnations.own,
    greeted: (from, incarnation) => incarnations.greeted(from, incarnation),
    refusedIncarnation: () => incarnations.refused(),
    received: (from, message) => {
      try {
        w.inbox.received(from, message);
      } catch (error) {
        w.requestFailed(error);
      }
    },
    unreachable: (to) => w.driver.post({ kind: "unreachable", id: to }),
    rejected: (rejection) => guard.rejected(rejection),
    linkChanged: (id, isUp) => guard.linkChanged(id, isUp),
    clusterInfo: () => clusterInfo(w),
    page: (request, answer) => {
      try {
        answerPage(request, w.member, answer);
      } catch (error) {
        const { message } = w.requestFailed(error);
        answer({ status: 503, headers: {}, body: `${message}\n` });
      }
    },
    removedFromCluster: () => w.lifecycle.removed(),
    isRemoved: (id) => w.machine().cluster.isRemoved(id),
  };
}

/**
 * What this member tells a joining member about the cluster. Undefined while it does not know the
 * cluster itself.
 */
function clusterInfo(w: Wiring): ClusterInfo | undefined {
  const { cluster } = w.machine();
  const members = cluster.members();
  if (members.length === 0) return undefined;
  return {
    clusterId: w.booted.clusterId,
    clusterVersion: cluster.clusterVersion(),
    members: members.map((known) => ({
      ...known,
      incarnation: w.incarnations.incarnationOf(known.id),
    })),
  };
}
