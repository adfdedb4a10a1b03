/**
 * The only place where the parts of a member are put together. Each part names what it uses and
 * gets it here. The functions in assemble/ make one part each. No part receives another part whole.
 */
import { DamageError } from "../base/errors.js";
import { PeerGuard } from "../peers/guard.js";
import { PeerLinks } from "../peers/links.js";
import { Peers } from "../peers/peers.js";
import { createWatchHub } from "../state/watch/hub.js";
import { Jobs } from "../storage/jobs.js";
import * as cluster from "./assemble/cluster.js";
import * as consensus from "./assemble/consensus.js";
import * as integrity from "./assemble/integrity.js";
import * as services from "./assemble/services.js";
import type { MemberWorld, Wiring } from "./assemble/wiring.js";
import { MemberNews } from "./cluster/member-news.js";
import { requestTimeoutMs } from "./config.js";
import type { RunningMember } from "./member.js";
import { OperationCounts } from "./operation-counts.js";
import { requestFailure } from "./request-failure.js";
import type { Booted } from "./startup/boot.js";
import { createMemberRaft } from "./startup/create-raft.js";
import { Proposals } from "./turns/proposals.js";
import { ReadBarrier } from "./turns/read-barrier.js";

/** Makes a member from what `bootMember` found. It takes part once its `start` is called. */
export function assembleMember(world: MemberWorld, booted: Booted): RunningMember {
  const { clock } = world.platform;
  const w = beginWiring(world, booted);
  w.state = consensus.createState(w);
  w.jobs = new Jobs(clock, world.config.jobs);
  w.watchPacer = consensus.createWatchPacer(w);
  w.watch = createWatchHub(w.state.kv(), { onBehind: w.watchPacer.catchUp });
  // Earlier lives used only lower ids: a member takes less than 1024 requests a millisecond.
  const firstId = Math.floor(clock.unixMs()) * 1024;
  w.proposals = new Proposals(firstId);
  w.operations = new OperationCounts(() => clock.now());
  w.reads = new ReadBarrier(firstId, (sinceMs) => w.slowness.read.took(clock.now() - sinceMs));
  w.peers = new Peers(clock);
  w.incarnations = consensus.createIncarnations(w);
  w.links = new PeerLinks(world, booted, () => w.machine().cluster);
  w.guard = new PeerGuard(world.platform, w.links);
  w.raft = createMemberRaft(world, booted, () =>
    w.monitor.mayHandOn() ? w.transfer.source.latest() : undefined,
  );
  w.leadership = consensus.createLeadership(w);
  w.committer = consensus.createCommitter(w);
  w.driver = consensus.createDriver(w);
  w.transfer = consensus.createTransfer(w);
  w.defragmenter = consensus.createDefragmenter(w);
  w.maintenance = services.createMaintenance(w);
  w.lifecycle = consensus.createLifecycle(w);
  w.proposer = consensus.createProposer(w);
  w.inbox = consensus.createInbox(w);
  w.monitor = integrity.createMonitor(w);
  w.quota = services.createQuota(w);
  w.membership = cluster.createMembership(w);
  w.gate = services.createGate(w);
  w.authenticator = services.createAuthenticator(w);
  w.leaderRequests = services.createLeaderRequests(w);
  w.leaseLists = services.createLeaseLists(w);
  w.leases = services.createLeases(w);
  w.changes = cluster.createChanges(w);
  w.compactor = services.createCompactor(w);
  w.autoCompaction = services.createAutoCompaction(w);
  w.etcdChecks = integrity.createEtcdChecks(w);
  w.readiness = integrity.createReadiness(w);
  w.attributes = cluster.createAttributes(w);
  w.versions = cluster.createVersionMonitor(w);
  w.scrubber = integrity.createScrubber(w);
  w.memberNews = new MemberNews(world.platform.log, w.machine().cluster.members());
  w.quorum = cluster.createQuorumWatch(w);
  w.events = consensus.createEvents(w);
  w.heartbeat = consensus.createHeartbeat(w);
  w.member = services.createMember(w);
  return w.member;
}

/** What several parts share. The caller adds the parts themselves. */
function beginWiring(world: MemberWorld, booted: Booted): Wiring {
  const { platform, network, config } = world;
  const shared: Partial<Wiring> & Pick<Wiring, "booted"> = { ...world, booted };
  const w = shared as Wiring;
  w.machine = () => w.state.machine();
  w.request = (to, method, body, done) => {
    const timeoutMs = requestTimeoutMs(config);
    w.peers.request(network, { to, method, timeoutMs }, body, done);
  };
  w.progressed = () => {
    w.compactor.poke();
    w.versions.poke();
    w.attributes.poke();
  };
  w.damaged = (error) => {
    const { voters } = w.machine().confState;
    const isAlone = voters.every((id) => id === booted.memberId);
    if (isAlone || w.lifecycle.isStopping()) return false;
    w.monitor.enter(error.found(), w.machine().appliedIndex);
    return true;
  };
  w.requestFailed = (error) =>
    requestFailure(error, {
      isHalted: () => w.lifecycle.isStopped(),
      fail: (cause) => w.failed(cause),
      log: platform.log,
    });
  w.failed = (error) => {
    if (!(error instanceof DamageError && w.damaged(error))) w.lifecycle.fail(error);
  };
  return w;
}
