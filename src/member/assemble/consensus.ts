/** Makes the parts between log, raft, state and peers. */
import { KvError } from "../../base/errors.js";
import { raftEnvelope } from "../../peers/codec.js";
import { encodeMessage } from "../../raft/codec/message-codec.js";
import { SnapshotTransfer } from "../../snapshot/transfer.js";
import { rootName } from "../../state/auth/types.js";
import { Committer } from "../../storage/committer.js";
import { Defragmenter } from "../../storage/defragmenter.js";
import { StateStore } from "../../storage/state-store.js";
import { checkpointNotes } from "../checkpoint-notes.js";
import { Leadership } from "../cluster/leadership.js";
import { requestTimeoutMs } from "../config.js";
import { Incarnations } from "../incarnation/incarnations.js";
import { Lifecycle } from "../lifecycle.js";
import { Applier } from "../turns/applier.js";
import { Driver } from "../turns/driver.js";
import { Heartbeat } from "../turns/heartbeat.js";
import { PeerInbox } from "../turns/peer-inbox.js";
import { Proposer } from "../turns/proposer.js";
import { EntryEncoder } from "../turns/request-codec.js";
import { TurnEvents } from "../turns/turn-events.js";
import { WatchPacer } from "../turns/watch-pacer.js";
import type { Wiring } from "./wiring.js";

export function createState(w: Wiring): StateStore {
  const { clock, disk, backends, hash } = w.platform;
  const { backendName: name, backend, machine } = w.booted;
  const current = { name, backend, machine };
  return new StateStore({ clock, disk, backends, sha256: hash.sha256 }, current, w.booted);
}

export function createWatchPacer(w: Wiring): WatchPacer {
  const { platform, config } = w;
  return new WatchPacer({
    clock: platform.clock,
    electionMs: config.electionMs,
    watch: () => w.watch,
    hasLeader: () => w.raft.leader() !== 0n,
    isStopped: () => w.lifecycle.isStopped(),
    failed: (error) => void w.requestFailed(error),
  });
}

export function createLeadership(w: Wiring): Leadership {
  const { platform, network, config } = w;
  return new Leadership({
    clock: platform.clock,
    selfId: w.booted.memberId,
    electionMs: config.electionMs,
    raft: () => w.raft,
    transfer: (to) => w.driver.post({ kind: "transferLeader", to }),
    activeSince: (id) => network.activeSince(id),
  });
}

export function createCommitter(w: Wiring): Committer {
  const { platform, config } = w;
  const { log, wal, durable, machine } = w.booted;
  const committer = new Committer({
    ...{ clock: platform.clock, log, wal },
    backend: () => w.state.backend(),
    appliedMeta: () => w.state.meta(),
    proof: () => w.state.proof(),
    checkpointNote: checkpointNotes(w.state),
    sentIndex: () => w.transfer.source.sentIndex(),
    // Keep the log until an investigation ends: a lagging member's vote may decide it, and it can catch
    // up only from the log.
    isLogHeld: () =>
      w.defragmenter.isRunning || w.monitor.quarantine() !== undefined || w.monitor.isInDoubt(),
    batchMs: config.backendBatchMs,
    batchLimit: config.backendBatchLimit,
    snapshotCount: config.snapshotCount,
    catchupEntries: config.snapshotCatchupEntries,
    failed: w.failed,
  });
  if (durable !== undefined) {
    const ahead = machine.appliedIndex - durable.index;
    committer.replaced(durable);
    if (ahead > 0) platform.clock.defer(() => committer.applied(ahead));
  }
  return committer;
}

export function createDriver(w: Wiring): Driver {
  const { platform, network, config } = w;
  const { memberId: selfId, log, wal } = w.booted;
  const applier = new Applier({
    clock: platform.clock,
    limits: config.apply,
    selfId,
    proposals: w.proposals,
    begin: w.begin,
    machine: () => w.state.writableMachine(),
    watch: () => w.watch,
    applyConfChange: (change) => w.raft.applyConfChange(change),
    applied: (applied) => w.events.applied(applied),
    took: (ms, { index, data }) =>
      w.slowness.apply.took(ms, { index, "request-size": data.length }),
    damaged: (error) => w.damaged(error),
  });
  return new Driver(selfId, {
    ...{ clock: platform.clock, raft: w.raft, log, wal },
    proposals: w.proposals,
    reads: w.reads,
    appending: (entries) => w.incarnations.appending(entries),
    apply: (entries) => applier.add(entries),
    applySome: () => {
      const some = applier.run();
      if (some.entries > 0) {
        w.committer.applied(some.entries);
        w.incarnations.applied();
        w.progressed();
      }
      return some;
    },
    applyPauseMs: config.apply.pauseMs,
    isApplying: () => applier.isBusy(),
    appliedIndex: () => w.machine().appliedIndex,
    send: (message) =>
      network.send(
        message.to,
        raftEnvelope(encodeMessage(w.incarnations.outgoing(message)), w.monitor.outgoing()),
      ),
    canReachLeader: () => {
      const leader = w.raft.leader();
      if (leader === 0n || leader === selfId) return leader === selfId;
      return network.activeSince(leader) !== undefined;
    },
    softStateChanged: (state) => w.events.softStateChanged(state),
    contradicted: (found) => w.monitor.divergence.found(found),
    installSnapshot: (index, done) => w.events.installSnapshot(index, done),
    failed: w.failed,
  });
}

export function createTransfer(w: Wiring): SnapshotTransfer {
  const { clock, hash, backends, log } = w.platform;
  return new SnapshotTransfer(
    {
      ...{ clock, sha256: hash.sha256, state: w.state, log },
      committer: () => w.committer,
      oldestUsable: () => w.booted.log.firstIndex() - 1,
      offer: (message) => w.driver.post({ kind: "received", message }),
      isUndecided: () => w.driver.isUndecided(),
      failed: w.failed,
      failedAt: (id) => w.driver.post({ kind: "snapshotReported", id, ok: false }),
    },
    w.peers,
    { backends, request: (to, method, body, done) => w.request(to, method, body, done) },
  );
}

export function createLifecycle(w: Wiring): Lifecycle {
  const { platform, network } = w;
  return new Lifecycle({
    clock: platform.clock,
    log: platform.log,
    successor: () => w.leadership.successor(),
    transferLeader: (to) => w.driver.post({ kind: "transferLeader", to }),
    isLeader: () => w.raft.isLeader(),
    release: () => {
      w.driver.stop();
      w.heartbeat.stop();
      w.compactor.stop();
      w.autoCompaction.stop();
      w.versions.stop();
      w.attributes.stop();
      w.scrubber.stop();
      w.monitor.stop();
      w.watch.closeAll();
      const stopped = new KvError("stopped");
      w.proposals.failAll(stopped);
      w.reads.failAll(stopped);
      w.peers.failAll(stopped);
      w.leaderRequests.failAll(stopped);
      w.transfer.close(w.driver.isInstalling());
      w.links.close();
      platform.passwords.close();
      network.close();
    },
    flush: (done) => w.committer.flush(() => done()),
    close: (done) => {
      w.committer.stop();
      w.state.close(() => {
        w.booted.wal.close();
        platform.disk.close(done);
      });
    },
  });
}

export function createProposer(w: Wiring): Proposer {
  const selfId = w.booted.memberId;
  return new Proposer({
    selfId,
    clock: w.platform.clock,
    proposals: w.proposals,
    encoder: new EntryEncoder(selfId),
    schedule: () => w.driver.schedule(),
    isStopping: () => w.lifecycle.isStopping(),
    ownCaller: () => {
      const { isEnabled, revision } = w.machine().auth;
      return isEnabled ? { username: rootName, authRevision: revision } : undefined;
    },
  });
}

export function createEvents(w: Wiring): TurnEvents {
  const { platform, config } = w;
  return new TurnEvents({
    selfId: w.booted.memberId,
    clock: platform.clock,
    electionMs: config.electionMs,
    serverVersion: config.serverVersion,
    log: platform.log,
    monitor: w.monitor,
    links: w.links,
    leadership: w.leadership,
    reads: w.reads,
    transfer: w.transfer,
    state: w.state,
    committer: w.committer,
    watch: w.watch,
    incarnations: w.incarnations,
    machine: () => w.machine(),
    schedule: () => w.driver.schedule(),
    entryApplied: (applied) => {
      w.operations.applied(applied);
      w.leases.applied(applied);
      w.authenticator.applied(applied);
      w.quota.applied(applied);
    },
    stateReplaced: () => w.authenticator.stateReplaced(),
    leaderChanged: (isLeader) => {
      w.leases.leaderChanged(isLeader);
      w.leaderRequests.leaderChanged();
    },
    progressed: () => w.progressed(),
    membersChanged: () => w.memberNews.look(w.machine().cluster.members()),
    removed: () => w.lifecycle.removed(),
    failed: w.failed,
  });
}

export function createHeartbeat(w: Wiring): Heartbeat {
  const { platform, config } = w;
  const { progressNotifyMs } = config.limits;
  let progressDueMs = platform.clock.now() + progressNotifyMs;
  return new Heartbeat({
    clock: platform.clock,
    heartbeatMs: config.heartbeatMs,
    timeoutMs: requestTimeoutMs(config),
    raft: w.raft,
    proposals: w.proposals,
    reads: w.reads,
    leadership: w.leadership,
    watchPacer: w.watchPacer,
    transfer: w.transfer,
    monitor: w.monitor,
    tickRaft: () => w.driver.post({ kind: "tick" }),
    ticked: (nowMs) => {
      w.leases.tick(nowMs);
      w.authenticator.tick(nowMs);
      w.etcdChecks.tick(nowMs);
      w.quota.tick(nowMs);
      w.quorum.tick(nowMs);
      if (nowMs < progressDueMs) return;
      progressDueMs = nowMs + progressNotifyMs;
      w.watch.tickProgress();
    },
  });
}

export function createDefragmenter(w: Wiring): Defragmenter {
  return new Defragmenter({
    committer: w.committer,
    state: w.state,
    failed: w.failed,
    log: w.platform.log,
  });
}

export function createInbox(w: Wiring): PeerInbox {
  return new PeerInbox({
    peers: w.peers,
    network: w.network,
    raft: w.raft,
    links: w.links,
    guard: w.guard,
    incarnations: w.incarnations,
    isStopped: () => w.lifecycle.isStopped(),
    isRemoved: (id) => w.machine().cluster.isRemoved(id),
    compare: (from, fingerprint) => w.monitor.received(from, fingerprint),
    snapshotOffered: (message) => w.transfer.offered(message),
    raftReceived: (message) => w.driver.post({ kind: "received", message }),
  });
}

/** @throws LostDataError */
export function createIncarnations(w: Wiring): Incarnations {
  const { booted, config, platform } = w;
  return new Incarnations({
    ...{ selfId: booted.memberId, name: config.name, known: booted.known },
    ...{ own: booted.incarnation, isJoiner: booted.isJoiner, log: platform.log },
    cluster: () => w.machine().cluster,
    voters: () => w.machine().confState.voters,
    post: (event) => w.driver.post(event),
    isStopped: () => w.lifecycle.isStopping(),
    failed: w.failed,
  });
}
