/**
 * The moving parts below a member: consensus, log, state machine, peers and time, put together. It
 * knows nothing of what clients ask; member.ts builds that on top of `propose` and `readBarrier`.
 */
import { DamageError, KvError, StartError } from "../base/errors.js";
import { invariant } from "../base/invariant.js";
import type { IntegrityMonitor } from "../integrity/monitor.js";
import { findingOf } from "../integrity/quarantine-file.js";
import { type PeerMethod, raftEnvelope } from "../peers/codec.js";
import { PeerGuard } from "../peers/guard.js";
import { PeerLinks } from "../peers/links.js";
import { Peers } from "../peers/peers.js";
import { soundMessage } from "../peers/sound-message.js";
import type { Timer } from "../platform/clock.js";
import type { Network } from "../platform/network.js";
import type { Platform } from "../platform/platform.js";
import { encodeMessage } from "../raft/message-codec.js";
import {
  EntryType,
  type Message,
  type RaftEvent,
  type RaftNode,
  type Ready,
} from "../raft/types.js";
import type { SnapshotTransfer } from "../snapshot/transfer.js";
import { createWatchHub, type WatchHub } from "../state/mvcc/watch-hub.js";
import type { Applied, Machine } from "../state/types.js";
import type { Committer } from "../storage/committer.js";
import { Defragmenter } from "../storage/defragmenter.js";
import { StateStore } from "../storage/state-store.js";
import type { RaftLog } from "../wal/raft-log.js";
import type { ConfChangeRequest } from "../wire/gen/internal.js";
import { Leadership } from "./cluster/leadership.js";
import { encodeChange } from "./cluster/membership.js";
import { type MemberConfig, requestTimeoutMs } from "./config.js";
import { createCommitter } from "./create-committer.js";
import { createMonitor } from "./create-monitor.js";
import { createTransfer } from "./create-transfer.js";
import { createIncarnations } from "./incarnation/create-incarnations.js";
import type { Incarnations } from "./incarnation/incarnations.js";
import { requestFailure } from "./request-failure.js";
import type { Booted } from "./startup/boot.js";
import { createMemberRaft } from "./startup/create-raft.js";
import { versionRefusal } from "./startup/version-check.js";
import { Applier } from "./turns/applier.js";
import { Driver } from "./turns/driver.js";
import { Proposals } from "./turns/proposals.js";
import { ReadBarrier } from "./turns/read-barrier.js";
import { EntryEncoder } from "./turns/request-codec.js";
import { WatchPacer } from "./turns/watch-pacer.js";
import type { Done, RequestField } from "./types.js";

/** More committed than applied entries than this: the member is behind and takes no more. */
const applyLagMax = 5_000;
/** How long a stopping leader waits for its successor. */
const handOverMs = 1_000;

export type StopCause = { readonly removed: boolean; readonly error: Error | undefined };

/** What the layer above wants to know, each inside a turn. */
export interface EngineHooks {
  /** One entry was applied. */
  applied(applied: Applied): void;
  /** Some entries were applied, or there is another leader (0n: none). */
  progressed(): void;
  leaderChanged(isLeader: boolean): void;
  ticked(nowMs: number): void;
  /** The engine stops for good: let go of timers. */
  halting(): void;
}

export interface EngineWorld {
  readonly platform: Platform;
  readonly network: Network;
  readonly config: MemberConfig;
}

export class Engine {
  readonly id: bigint;
  readonly watch: WatchHub;
  readonly state: StateStore;
  readonly raft: RaftNode;
  readonly log: RaftLog;
  readonly committer: Committer;
  readonly proposals: Proposals;
  readonly reads: ReadBarrier;
  readonly monitor: IntegrityMonitor;
  readonly peers: Peers;
  readonly links: PeerLinks;
  readonly guard: PeerGuard;
  readonly transfer: SnapshotTransfer;
  readonly leadership: Leadership;
  readonly incarnations: Incarnations;
  readonly #world: EngineWorld;
  readonly #booted: Booted;
  readonly #hooks: EngineHooks;
  readonly #driver: Driver;
  readonly #encoder: EntryEncoder;
  readonly #watchPacer: WatchPacer;
  readonly #defragmenter: Defragmenter;
  readonly #onStopped: ((cause: StopCause) => void)[] = [];
  #stopCause: StopCause | undefined;
  /** While a stopping member waits for its last flush: what is done after it. */
  #close: (() => void) | undefined;
  #isStopping = false;
  #ticker: Timer | undefined;

  constructor(world: EngineWorld, booted: Booted, hooks: EngineHooks) {
    const { platform, config } = world;
    this.#world = world;
    this.#booted = booted;
    this.#hooks = hooks;
    this.id = booted.memberId;
    this.log = booted.log;
    this.state = new StateStore(
      { ...platform, sha256: platform.hash.sha256 },
      { name: booted.backendName, backend: booted.backend, machine: booted.machine },
      booted,
    );
    this.#watchPacer = new WatchPacer({
      clock: platform.clock,
      electionMs: config.electionMs,
      watch: () => this.watch,
      hasLeader: () => this.raft.leader() !== 0n,
      isStopped: () => this.#stopCause !== undefined,
      failed: (error) => void this.requestFailed(error),
    });
    this.watch = createWatchHub(this.state.kv(), { onBehind: () => this.#watchPacer.catchUp() });
    // Ids of earlier lives are below: a member takes less than 1024 requests a millisecond.
    const firstId = Math.floor(platform.clock.unixMs()) * 1024;
    this.proposals = new Proposals(firstId);
    this.reads = new ReadBarrier(firstId);
    this.#encoder = new EntryEncoder(this.id);
    this.peers = new Peers(platform.clock);
    const postLater = (event: RaftEvent): void => this.#driver.post(event);
    this.incarnations = createIncarnations(this, { ...world, booted, post: postLater });
    this.links = new PeerLinks(world, booted, () => this.machine().cluster);
    this.guard = new PeerGuard(platform, this.links);
    this.raft = createMemberRaft(world, booted, () =>
      this.monitor.mayHandOn() ? this.transfer.source.latest() : undefined,
    );
    this.leadership = new Leadership({
      clock: platform.clock,
      selfId: this.id,
      electionMs: config.electionMs,
      raft: () => this.raft,
      transfer: (to) => this.#driver.post({ kind: "transferLeader", to }),
      activeSince: (id) => world.network.activeSince(id),
    });
    this.committer = createCommitter(this, booted, world);
    this.#driver = this.#createDriver();
    this.transfer = createTransfer(this, platform, {
      post: (event) => this.#driver.post(event),
      isUndecided: () => this.#driver.isUndecided(),
    });
    this.monitor = createMonitor(this, {
      ...{ platform, config, quarantine: booted.quarantine },
      post: (event) => this.#driver.post(this.incarnations.filtered(event)),
      handOver: (to, done) => this.#handOver(to, platform.clock.now() + handOverMs, done),
      changed: () => this.#hooks.progressed(),
      isStopped: () => this.#stopCause !== undefined,
    });
    this.#defragmenter = new Defragmenter({
      driver: this.#driver,
      committer: this.committer,
      state: this.state,
      failed: (error) => this.fail(error),
      log: (level, message, fields) => platform.log(level, message, fields),
    });
  }

  machine(): Machine {
    return this.state.machine();
  }

  /** Begins to take part. Call once, after the network was told to deliver here. */
  start(): void {
    this.#booted.wal.onFailure((error) => this.fail(error));
    this.links.sync();
    this.incarnations.start();
    this.monitor.start();
    this.#tick();
    this.#driver.schedule();
    const { voters } = this.machine().confState;
    // Alone there is nobody to wait for.
    if (voters.length === 1 && voters[0] === this.id) this.#driver.post({ kind: "campaign" });
    this.#hooks.progressed();
  }

  received(from: bigint, bytes: Uint8Array): void {
    if (this.#stopCause !== undefined || this.machine().cluster.isRemoved(from)) return;
    if (!this.links.knows(from)) {
      this.guard.rejected({ reason: "not_a_member", from, fields: {} });
      return;
    }
    const envelope = this.peers.received(this.#world.network, from, bytes);
    if (envelope === undefined) return;
    const message = soundMessage(envelope.message, from, this.raft);
    if ("reason" in message) {
      this.guard.rejected(message);
      return;
    }
    if (!this.incarnations.admits(message)) return;
    if (envelope.proof !== undefined) this.monitor.received(from, envelope.proof);
    if (message.type === "MsgSnap") this.transfer.offered(message);
    else this.#driver.post({ kind: "received", message });
  }

  unreachable(to: bigint): void {
    this.#driver.post({ kind: "unreachable", id: to });
  }

  removedFromCluster(): void {
    this.#world.platform.log(
      "warn",
      "the member has been permanently removed from the cluster",
      {},
    );
    this.#halt({ removed: true, error: undefined });
  }

  onStopped(fn: (cause: StopCause) => void): void {
    if (this.#stopCause !== undefined) fn(this.#stopCause);
    else this.#onStopped.push(fn);
  }

  /** Stops for good: the disk failed, or what was read is damaged or breaks an invariant. */
  fail(error: Error): void {
    if (error instanceof DamageError && this.damaged(error)) return;
    if (this.#close !== undefined) {
      // The last flush of a member that stops: nothing more becomes durable.
      this.#stopCause = { removed: false, error };
      this.#close();
    } else this.#halt({ removed: false, error });
  }

  /** What the handling of a request threw: see requestFailure. */
  requestFailed(error: unknown): KvError {
    return requestFailure(error, {
      isHalted: () => this.isHalted(),
      fail: (cause) => this.fail(cause),
      log: this.#world.platform.log,
    });
  }

  /** A snapshot is taking the place of log and state. */
  isInstalling(): boolean {
    return this.#driver.isInstalling();
  }

  /** From the moment when a stop is asked for, or an error makes it stop. */
  isStopping(): boolean {
    return this.#isStopping;
  }

  /** It takes part no more, and an error changes nothing of that. */
  isHalted(): boolean {
    return this.#stopCause !== undefined;
  }

  /** Why a client's request of this size cannot be taken now. */
  refusal(bodyBytes: number): KvError | undefined {
    if (this.#isStopping) return new KvError("stopped");
    if (bodyBytes > this.#world.config.limits.requestBytesMax)
      return new KvError("requestTooLarge");
    const lag = this.raft.committedIndex() - this.machine().appliedIndex;
    return lag > applyLagMax ? new KvError("tooManyRequests") : undefined;
  }

  propose(field: RequestField, body: Uint8Array, done: Done<Applied>): void {
    const id = this.#takeId(done);
    if (id === 0) return;
    this.proposals.enqueue(EntryType.normal, this.#encoder.encode(id, field, body));
    this.#driver.schedule();
  }

  /** A decision that only the leader may take, and that is void if it leads no more by then. */
  proposeAsLeader(field: RequestField, body: Uint8Array, isRight = () => true): void {
    if (this.#isStopping) return;
    const id = this.proposals.nextId();
    this.proposals.enqueue(EntryType.normal, this.#encoder.encode(id, field, body), isRight);
    this.#driver.schedule();
  }

  proposeChange(change: Omit<ConfChangeRequest, "header">, done: Done<Applied>): void {
    const id = this.#takeId(done);
    if (id === 0) return;
    const data = encodeChange(change, { id, proposer: this.id });
    this.proposals.enqueue(EntryType.confChange, data);
    this.#driver.schedule();
  }

  readBarrier(done: Done<void>): void {
    if (this.#isStopping) {
      done(new KvError("stopped"));
      return;
    }
    this.reads.add(this.#world.platform.clock.now(), done);
    this.#driver.schedule();
  }

  /** To a peer; ends with its answer or the request timeout. */
  request(to: bigint, method: PeerMethod, body: Uint8Array, done: Done<Uint8Array>): void {
    const timeoutMs = requestTimeoutMs(this.#world.config);
    this.peers.request(this.#world.network, { to, method, timeoutMs }, body, done);
  }

  /** Rewrites the backend compactly; nothing is applied meanwhile. */
  defragment(done: Done<void>): void {
    this.#defragmenter.run(done);
  }

  stop(done: () => void): void {
    if (this.#isStopping) {
      this.onStopped(() => done());
      return;
    }
    this.#isStopping = true;
    this.onStopped(() => done());
    const successor = this.leadership.successor();
    const halt = (): void => this.#halt({ removed: false, error: undefined });
    if (successor === undefined) halt();
    else this.#handOver(successor, this.#world.platform.clock.now() + handOverMs, halt);
  }

  /**
   * Our state is damaged: others have it too, so ours is given up and fetched. False: nobody else has
   * it, and nothing was done.
   */
  damaged(error: DamageError): boolean {
    const { voters } = this.machine().confState;
    const isAlone = voters.every((id) => id === this.id);
    if (isAlone || this.#stopCause !== undefined || this.#isStopping) return false;
    this.monitor.enter(findingOf(error.message), this.machine().appliedIndex);
    return true;
  }

  /** A fresh id under which `done` waits; 0: too much waits already, `done` was told. */
  #takeId(done: Done<Applied>): number {
    const id = this.proposals.nextId();
    if (this.proposals.add(id, this.#world.platform.clock.now(), done)) return id;
    done(new KvError("tooManyRequests"));
    return 0;
  }

  #applied(applied: Applied): void {
    this.monitor.applied(this.machine(), applied);
    this.#hooks.applied(applied);
    const { outcome } = applied;
    if (!(outcome instanceof KvError) && outcome.kind === "clusterVersion") this.#checkVersion();
    if (applied.conf === undefined) return;
    this.links.sync();
    if (this.machine().cluster.isRemoved(this.id)) {
      // The others must hear of the commit before the one that leaves is silent.
      const { platform, config } = this.#world;
      platform.clock.after(config.electionMs, () => this.removedFromCluster());
    }
  }

  /** @throws StartError: the rules of the entries that follow are not ours. */
  #checkVersion(): void {
    const version = this.machine().cluster.clusterVersion();
    this.#world.platform.log("info", "the cluster's version", { "cluster-version": version });
    const refusal = versionRefusal(this.#world.config.serverVersion, version);
    if (refusal !== undefined) throw refusal;
  }

  #softStateChanged(state: NonNullable<Ready["softState"]>): void {
    if (!this.leadership.observe(state)) return;
    const message = state.leader === 0n ? "raft: lost leader" : "raft: elected leader";
    const leader = state.leader.toString(16);
    this.#world.platform.log("info", message, { leader, term: state.term });
    this.#hooks.leaderChanged(state.leader === this.id);
    this.monitor.leaderChanged(state.leader === this.id);
    if (state.leader === 0n) return;
    this.reads.leaderChanged();
    this.#hooks.progressed();
    this.#driver.schedule();
  }

  readonly #tick = (): void => {
    if (this.#stopCause !== undefined) return;
    const { platform, config } = this.#world;
    this.#ticker = platform.clock.after(config.heartbeatMs, this.#tick);
    this.#driver.post({ kind: "tick" });
    const nowMs = platform.clock.now();
    const deadlineMs = nowMs - requestTimeoutMs(config);
    this.proposals.expire(deadlineMs, (sinceMs) => this.leadership.timeoutCause(sinceMs));
    this.reads.expire(deadlineMs);
    this.#watchPacer.tick(nowMs);
    if (this.raft.isLeader()) this.#watchReceivers(nowMs);
    this.monitor.tick(nowMs);
    this.#hooks.ticked(nowMs);
  };

  #canReachLeader(): boolean {
    const leader = this.raft.leader();
    if (leader === 0n || leader === this.id) return leader === this.id;
    return this.#world.network.activeSince(leader) !== undefined;
  }

  #watchReceivers(nowMs: number): void {
    const receivers: bigint[] = [];
    for (const [id, progress] of this.raft.status().progress) {
      if (progress.state === "snapshot") receivers.push(id);
    }
    this.transfer.watchReceivers(receivers, nowMs);
  }

  #handOver(to: bigint, untilMs: number, done: () => void): void {
    this.#driver.post({ kind: "transferLeader", to });
    const look = (): void => {
      const isOver = this.raft.leader() !== this.id || this.#world.platform.clock.now() >= untilMs;
      if (isOver || this.#stopCause !== undefined) done();
      else this.#world.platform.clock.after(10, look);
    };
    look();
  }

  /** Stops for good: everyone who waits is told, what is applied becomes durable if it can. */
  #halt(cause: StopCause): void {
    if (this.#stopCause !== undefined) return;
    this.#stopCause = cause;
    this.#isStopping = true;
    this.#driver.stop();
    this.#ticker?.cancel();
    this.#hooks.halting();
    this.monitor.stop();
    this.watch.closeAll();
    const stopped = new KvError("stopped");
    this.proposals.failAll(stopped);
    this.reads.failAll(stopped);
    this.peers.failAll(stopped);
    this.transfer.close(this.#driver.isInstalling());
    this.links.close();
    this.#world.network.close();
    this.#close = () => {
      this.#close = undefined;
      this.committer.stop();
      this.state.close(() => {
        this.#booted.wal.close();
        this.#world.platform.disk.close();
        for (const fn of this.#onStopped.splice(0)) fn(this.#stopCause ?? cause);
      });
    };
    if (cause.error !== undefined) {
      this.#world.platform.log("error", "the member stops", { error: cause.error.message });
    }
    // After an error the state in memory is not to be trusted, and the log holds what is needed.
    // But a version that we do not serve was reached rightly, and the next build must find it.
    const isTrusted = cause.error === undefined || cause.error instanceof StartError;
    if (isTrusted) this.committer.flush(() => this.#close?.());
    else this.#close();
  }

  #installSnapshot(index: number, done: () => void): void {
    try {
      const fetched = this.transfer.sink.take(index);
      invariant(fetched !== undefined, "raft installs a snapshot that is not here");
      this.state.replace(fetched);
      this.committer.replaced();
      this.monitor.replaced();
      this.watch.closeAll();
      this.links.sync();
      this.#world.platform.log("info", "applied snapshot", { "snapshot-index": index });
      this.#checkVersion();
      this.incarnations.applied();
    } catch (refusal) {
      this.fail(refusal as Error);
      return;
    }
    done();
    // The whole state of a member that joins may have come so, and nothing else may follow.
    this.#hooks.progressed();
  }

  #send(message: Message): void {
    const encoded = encodeMessage(this.incarnations.outgoing(message));
    const bytes = raftEnvelope(encoded, this.monitor.outgoing());
    this.#world.network.send(message.to, bytes);
  }

  #createDriver(): Driver {
    const applier = new Applier({
      clock: this.#world.platform.clock,
      limits: this.#world.config.apply,
      selfId: this.id,
      proposals: this.proposals,
      machine: () => this.machine(),
      watch: () => this.watch,
      applyConfChange: (change) => this.raft.applyConfChange(change),
      applied: (applied) => this.#applied(applied),
      damaged: (error) => this.damaged(error),
    });
    return new Driver(this.id, {
      clock: this.#world.platform.clock,
      raft: this.raft,
      log: this.#booted.log,
      wal: this.#booted.wal,
      proposals: this.proposals,
      reads: this.reads,
      appending: (entries) => this.incarnations.appending(entries),
      apply: (entries) => applier.add(entries),
      applySome: () => {
        const some = applier.run();
        if (some.entries > 0) {
          this.committer.applied(some.entries);
          this.incarnations.applied();
          this.#hooks.progressed();
        }
        return some;
      },
      applyPauseMs: this.#world.config.apply.pauseMs,
      isApplying: () => applier.isBusy(),
      appliedIndex: () => this.machine().appliedIndex,
      send: (message) => this.#send(message),
      canReachLeader: () => this.#canReachLeader(),
      softStateChanged: (state) => this.#softStateChanged(state),
      contradicted: (found) => this.monitor.divergence.found(found),
      installSnapshot: (index, done) => this.#installSnapshot(index, done),
      failed: (error) => this.fail(error),
    });
  }
}
