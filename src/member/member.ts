/**
 * A running member as its services see it (types.ts): requests of clients become proposals, read
 * barriers or questions to the leader. Leases, membership, compaction, quota and publication live
 * here, on top of the engine.
 */
import { DamageError, KvError } from "../base/errors.js";
import type { EtcdChecks } from "../integrity/etcd-checks/etcd-checks.js";
import type { Finding } from "../integrity/scrub/finding.js";
import { createMemberScrubber } from "../integrity/scrub/member-scrubber.js";
import { scrubMetrics } from "../integrity/scrub/scrub-metrics.js";
import type { Scrubber } from "../integrity/scrub/scrubber.js";
import { checkSelf } from "../integrity/self-check.js";
import { LeaseDriver, type TimeToLive } from "../lease/driver.js";
import { PeerMethod } from "../peers/codec.js";
import { digestVersion } from "../state/digest.js";
import type { WatchHub } from "../state/mvcc/watch-hub.js";
import type { Applied, HashKv, Machine, MemberRecord } from "../state/types.js";
import { CompactionRequest } from "../wire/gen/rpc.js";
import { Membership, membersOf } from "./cluster/membership.js";
import { Publisher } from "./cluster/publisher.js";
import { Compactor } from "./compactor.js";
import { requestTimeoutMs } from "./config.js";
import { createEtcdChecks } from "./create-etcd-checks.js";
import { Engine, type EngineWorld, type StopCause } from "./engine.js";
import { Maintenance } from "./jobs/maintenance.js";
import { readTxn } from "./jobs/read-txn.js";
import { integrityNumbersOf, statusOf } from "./member-status.js";
import { memberMetrics } from "./metrics.js";
import { Quota } from "./quota.js";
import type { Booted } from "./startup/boot.js";
import {
  type Done,
  type Member,
  type MemberIntegrity,
  type MemberLimits,
  type MemberStatus,
  type Proposal,
  RequestField,
  type SnapshotStream,
} from "./types.js";

type MembersOutcome = {
  readonly member: MemberRecord | undefined;
  readonly members: readonly MemberRecord[];
};

export class RunningMember implements Member {
  readonly id: bigint;
  readonly clusterId: bigint;
  readonly limits: MemberLimits;
  readonly engine: Engine;
  readonly scrubber: Scrubber;
  /** Of its build. */
  readonly version: string;
  readonly #world: EngineWorld;
  readonly #leases: LeaseDriver;
  readonly #membership: Membership;
  readonly #compactor: Compactor;
  readonly #publisher: Publisher;
  readonly #etcdChecks: EtcdChecks;
  readonly #quota: Quota;
  readonly #maintenance: Maintenance;
  readonly #onReady: (() => void)[] = [];
  #isReady = false;
  readonly #isUnproven: boolean;
  #progressDueMs: number;

  constructor(world: EngineWorld, booted: Booted) {
    const { platform, config } = world;
    this.id = booted.memberId;
    this.clusterId = booted.clusterId;
    this.limits = config.limits;
    this.version = config.serverVersion;
    this.#world = world;
    this.#progressDueMs = platform.clock.now() + config.limits.progressNotifyMs;
    this.#isUnproven = booted.isUnproven === true;
    this.engine = new Engine(world, booted, {
      applied: (applied) => this.#leases.applied(applied),
      progressed: () => this.#progressed(),
      leaderChanged: (isLeader) => this.#leases.leaderChanged(isLeader),
      ticked: (nowMs) => this.#ticked(nowMs),
      halting: () => {
        this.#compactor.stop();
        this.#publisher.stop();
        this.scrubber.stop();
      },
    });
    this.#leases = this.#createLeases();
    this.#membership = this.#createMembership();
    this.#compactor = this.#createCompactor();
    this.#publisher = this.#createPublisher();
    this.#quota = this.#createQuota();
    this.#maintenance = new Maintenance({
      ...{ clock: platform.clock, state: this.engine.state, committer: this.engine.committer },
      damaged: (error) => this.fail(error),
      log: (level, message, fields) => platform.log(level, message, fields),
    });
    this.#etcdChecks = createEtcdChecks(this, world);
    this.scrubber = createMemberScrubber({
      platform,
      config,
      wal: booted.wal,
      state: this.engine.state,
      committer: this.engine.committer,
      onFinding: (finding) => this.#scrubFound(finding),
      failed: (error) => this.fail(error),
    });
    this.engine.peers.serve(PeerMethod.promote, (_from, body, done) => {
      this.#promoteFor(body, done);
    });
  }

  get machine(): Machine {
    return this.engine.machine();
  }

  get watch(): WatchHub {
    return this.engine.watch;
  }

  term(): number {
    return this.engine.raft.term();
  }

  leader(): bigint {
    return this.engine.raft.leader();
  }

  isLearner(): boolean {
    return this.machine.cluster.member(this.id)?.isLearner ?? false;
  }

  isReady(): boolean {
    return this.#isReady;
  }

  onReady(fn: () => void): void {
    if (this.#isReady) fn();
    else this.#onReady.push(fn);
  }

  onStopped(fn: (cause: StopCause) => void): void {
    this.engine.onStopped(fn);
  }

  propose(request: Proposal, done: Done<Applied>): void {
    const refusal =
      this.refusal() ??
      this.engine.refusal(request.body.length) ??
      this.#quota.check(request.growthBytes);
    if (refusal !== undefined) done(refusal);
    else this.engine.propose(request.field, request.body, done);
  }

  readBarrier(done: Done<void>): void {
    this.engine.readBarrier((refusal) => {
      if (refusal === undefined) this.whenSure(done);
      else done(refusal);
    });
  }

  whenSure(done: Done<void>): void {
    if (this.engine.isStopping()) done(new KvError("stopped"));
    else this.engine.monitor.whenSure(done);
  }

  refusal(): KvError | undefined {
    if (this.engine.isStopping()) return new KvError("stopped");
    return this.engine.monitor.refusal();
  }

  isStopping(): boolean {
    return this.engine.isStopping();
  }

  requestFailed(error: unknown): KvError {
    return this.engine.requestFailed(error);
  }

  /** What a callback of the platform threw: nothing here is to be trusted any more. */
  callbackFailed(error: Error): void {
    if (this.engine.isHalted()) throw error;
    this.fail(error);
  }

  compact(revision: number, physical: boolean, done: Done<number>): void {
    const body = CompactionRequest.encode({ revision: BigInt(revision), physical }).finish();
    this.propose({ field: RequestField.compaction, body, growthBytes: 0 }, (applied) => {
      if (applied instanceof KvError || !physical) {
        done(applied instanceof KvError ? applied : applied.revision);
        return;
      }
      this.#compactor.whenFinished(revision, () =>
        this.engine.committer.flush(() => done(applied.revision)),
      );
    });
  }

  leaseGrant(
    id: bigint,
    ttl: number,
    done: Done<{ readonly id: bigint; readonly ttl: number; readonly revision: number }>,
  ): void {
    this.#leases.grant(id, ttl, done);
  }

  leaseKeepAlive(id: bigint, done: Done<{ readonly ttl: number }>): void {
    this.#unlessRefused((sure) => this.#leases.keepAlive(id, sure), done);
  }

  leaseTimeToLive(id: bigint, withKeys: boolean, done: Done<TimeToLive>): void {
    this.#unlessRefused((sure) => this.#leases.timeToLive(id, withKeys, sure), done);
  }

  memberAdd(
    peerUrls: readonly string[],
    isLearner: boolean,
    done: Done<{ readonly member: MemberRecord; readonly members: readonly MemberRecord[] }>,
  ): void {
    this.#changeMembers(this.#membership.add(peerUrls, isLearner), (result) => {
      if (result instanceof KvError) done(result);
      else done({ member: result.member as MemberRecord, members: result.members });
    });
  }

  memberRemove(id: bigint, done: Done<readonly MemberRecord[]>): void {
    this.#changeMembers(this.#membership.remove(id), (result) => done(membersOf(result)));
  }

  memberUpdate(id: bigint, peerUrls: readonly string[], done: Done<readonly MemberRecord[]>): void {
    this.#changeMembers(this.#membership.update(id, peerUrls), (result) => done(membersOf(result)));
  }

  memberPromote(id: bigint, done: Done<readonly MemberRecord[]>): void {
    if (this.engine.raft.isLeader()) {
      this.#changeMembers(this.#membership.promote(id), (result) => done(membersOf(result)));
      return;
    }
    const leader = this.engine.raft.leader();
    if (leader === 0n) {
      done(new KvError("noLeader"));
      return;
    }
    const body = new Uint8Array(8);
    new DataView(body.buffer).setBigUint64(0, id);
    this.engine.request(leader, PeerMethod.promote, body, (answer) => {
      if (answer instanceof KvError) done(answer);
      // The change is committed; it is here as soon as we have applied as much as the leader had.
      else this.readBarrier((error) => done(error ?? this.machine.cluster.members()));
    });
  }

  status(): MemberStatus {
    return statusOf(this);
  }

  integrity(): MemberIntegrity {
    const { comparison, divergence, incidents } = this.engine.monitor;
    return {
      digestVersion,
      verifiedIndex: comparison.verifiedIndex(),
      quarantine: this.engine.monitor.quarantine(),
      divergence: divergence.own(),
      incidents: incidents.all(),
      peer: (id) => comparison.view(id),
    };
  }

  readTxn(...[request, done]: Parameters<Member["readTxn"]>): void {
    const { clock } = this.#world.platform;
    const isStopped = (): boolean => this.engine.isStopping();
    const failed = (error: Error): void => this.fail(error);
    readTxn({ clock, machine: () => this.machine, isStopped, failed }, request, done);
  }

  hashKv(revision: number, done: Done<HashKv & { readonly currentRevision: number }>): void {
    this.#maintenance.hashKv(revision, done);
  }

  hash(done: Done<number>): void {
    this.#maintenance.hash(done);
  }

  defragment(done: Done<void>): void {
    this.engine.defragment(done);
  }

  moveLeader(to: bigint, done: Done<void>): void {
    this.engine.leadership.move(to, done);
  }

  openSnapshot(done: Done<SnapshotStream>): void {
    this.#maintenance.openSnapshot(done);
  }

  metrics(): ReturnType<typeof memberMetrics> {
    const sizes = this.engine.state.backend().sizes();
    const numbers = memberMetrics({
      serverVersion: this.#world.config.serverVersion,
      clusterVersion: this.machine.cluster.clusterVersion(),
      raft: this.engine.raft.status(),
      leaderChanges: this.engine.leadership.changes,
      pending: this.engine.proposals.pending(),
      failed: this.engine.proposals.failed,
      slowReads: this.engine.reads.slowRounds,
      failedReads: this.engine.reads.failedRounds,
      leasesExpired: this.#leases.expired,
      snapshotsServed: this.engine.transfer.source.served,
      backendCommits: this.engine.committer.commits,
      quotaBytes: this.limits.quotaBytes,
      dbSize: sizes.total,
      dbSizeInUse: sizes.inUse,
      isLearner: this.isLearner(),
      kv: this.machine.kv,
      watch: this.watch.stats(),
      integrity: integrityNumbersOf(this),
      peers: this.engine.guard,
    });
    return [...numbers, ...scrubMetrics(this.scrubber.stats())];
  }

  stop(done: () => void): void {
    this.engine.stop(done);
  }

  /** For errors found above the member; `onStopped` tells them. After a stop it does nothing. */
  fail(error: Error): void {
    this.engine.fail(error);
  }

  /** Damage of the state is healed like any other; a wrong digest or log is told by log and metrics. */
  #scrubFound(finding: Finding): void {
    const isState = finding.kind === "row" || (finding.kind === "rows" && finding.isConfirmed);
    if (isState) this.engine.damaged(new DamageError(finding.what));
  }

  /** A member in quarantine passes on no answer of others either: its header would be wrong. */
  #unlessRefused<T>(ask: (done: Done<T>) => void, done: Done<T>): void {
    const refusal = this.refusal();
    if (refusal !== undefined) done(refusal);
    else ask((answer) => done(this.refusal() ?? answer));
  }

  #progressed(): void {
    this.#compactor.poke();
    this.#publisher.poke();
  }

  #ticked(nowMs: number): void {
    this.#leases.tick(nowMs);
    this.#etcdChecks.tick(nowMs);
    if (nowMs < this.#progressDueMs) return;
    this.#progressDueMs = nowMs + this.limits.progressNotifyMs;
    this.watch.tickProgress();
  }

  /** For the member's own requests: no quota, no size check, outcome of no interest. */
  #proposeInternal(field: RequestField, body: Uint8Array, done: () => void): void {
    if (this.engine.isStopping()) this.#world.platform.clock.defer(done);
    else this.engine.propose(field, body, () => done());
  }

  #changeMembers(change: ReturnType<Membership["add"]>, done: Done<MembersOutcome>): void {
    const refusal = change instanceof KvError ? change : (this.refusal() ?? this.engine.refusal(0));
    if (refusal !== undefined) {
      done(refusal);
      return;
    }
    this.engine.proposeChange(change as Exclude<typeof change, KvError>, (applied) => {
      if (applied instanceof KvError) done(applied);
      else if (applied.outcome instanceof KvError) done(applied.outcome);
      else if (applied.outcome.kind === "members") done(applied.outcome);
      else done(new KvError("stopped"));
    });
  }

  #promoteFor(body: Uint8Array, done: Done<Uint8Array>): void {
    if (!this.engine.raft.isLeader() || body.length !== 8) {
      done(new KvError("notLeader"));
      return;
    }
    const id = new DataView(body.buffer, body.byteOffset, 8).getBigUint64(0);
    this.#changeMembers(this.#membership.promote(id), (result) => {
      done(result instanceof KvError ? result : new Uint8Array(0));
    });
  }

  /** What a large backend holds is proven before anybody is served from it. */
  #prove(done: () => void): void {
    if (!this.#isUnproven) {
      done();
      return;
    }
    const { clock, hash } = this.#world.platform;
    const { committer, state } = this.engine;
    const startedMs = clock.now();
    const isStopped = (): boolean => this.engine.isStopping();
    this.#world.platform.log("info", "proving the state before it is served", {});
    const failed = (error: Error): void => this.fail(error);
    checkSelf({ clock, sha256: hash.sha256, committer, state, isStopped, failed }, (isSound) => {
      const tookMs = Math.round(clock.now() - startedMs);
      this.#world.platform.log("info", "proved the state", {
        "is-sound": isSound,
        "took-ms": tookMs,
      });
      if (!isSound) {
        const what = "the rows do not match their digests: rows were lost, added or changed";
        this.engine.fail(new DamageError(what));
      }
      if (!isStopped()) done();
    });
  }

  #becomeReady(): void {
    this.#isReady = true;
    this.#world.platform.log("info", "published local member to cluster through raft", {
      "local-member-id": this.id.toString(16),
      "cluster-id": this.clusterId.toString(16),
    });
    for (const fn of this.#onReady.splice(0)) fn();
  }

  #createLeases(): LeaseDriver {
    const { platform, config } = this.#world;
    return new LeaseDriver(
      {
        clock: platform.clock,
        rng: platform.rng.fork("lease"),
        electionTicks: Math.round(config.electionMs / config.heartbeatMs),
        heartbeatMs: config.heartbeatMs,
        timeoutMs: requestTimeoutMs(config),
        leases: () => this.machine.leases,
        leader: () => this.engine.raft.leader(),
        isLeader: () => this.engine.raft.isLeader(),
        propose: (request, done) => this.propose(request, done),
        proposeAsLeader: (field, body, isRight) =>
          this.engine.proposeAsLeader(field, body, isRight),
        unapplied: () => {
          const { log } = this.engine;
          const from = this.machine.appliedIndex + 1;
          return log.entries(from, log.lastIndex() + 1, Number.MAX_SAFE_INTEGER) ?? [];
        },
        readBarrier: (done) => this.readBarrier(done),
        lastIndex: () => this.engine.log.lastIndex(),
        appliedIndex: () => this.machine.appliedIndex,
        request: (to, method, body, done) => this.engine.request(to, method, body, done),
      },
      this.engine.peers,
    );
  }

  #createMembership(): Membership {
    const { platform, network, config } = this.#world;
    return new Membership({
      selfId: this.id,
      hash: platform.hash,
      isStrict: config.strictReconfigCheck,
      learnersMax: config.learnersMax,
      cluster: () => this.machine.cluster,
      nowMs: () => platform.clock.now(),
      unixMs: () => platform.clock.unixMs(),
      activeSince: (id) => network.activeSince(id),
      raftStatus: () => this.engine.raft.status(),
    });
  }

  #createCompactor(): Compactor {
    const { platform, config } = this.#world;
    return new Compactor({
      clock: platform.clock,
      kv: () => this.machine.kv,
      isLeader: () => this.engine.raft.isLeader(),
      propose: (step, done) => this.#proposeInternal(RequestField.compactStep, step, done),
      rowsMax: config.compactionBatchLimit,
      sleepMs: config.compactionSleepMs,
    });
  }

  #createPublisher(): Publisher {
    const { platform, config } = this.#world;
    return new Publisher({
      clock: platform.clock,
      selfId: this.id,
      name: config.name,
      clientUrls: config.advertiseClientUrls,
      serverVersion: config.serverVersion,
      incarnation: this.engine.incarnations.own,
      cluster: () => this.machine.cluster,
      isLeader: () => this.engine.raft.isLeader(),
      hasLeader: () => this.engine.raft.leader() !== 0n,
      propose: (field, body, done) => this.#proposeInternal(field, body, done),
      published: () => this.#prove(() => this.#etcdChecks.initial(() => this.#becomeReady())),
    });
  }

  #createQuota(): Quota {
    return new Quota({
      selfId: this.id,
      quotaBytes: this.limits.quotaBytes,
      machine: () => this.machine,
      backendBytes: () => this.engine.state.backend().sizes().total,
      propose: (field, body, done) => this.#proposeInternal(field, body, done),
    });
  }
}
