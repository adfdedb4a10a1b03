/**
 * A running member as its services see it (types.ts). It turns requests of clients into proposals,
 * read barriers or questions to the leader. Its parts are put together in assemble.ts.
 */
import type { Done } from "../base/done.js";
import { KvError } from "../base/errors.js";
import type { IntegrityMonitor } from "../integrity/monitor.js";
import type { LeaseDriver, TimeToLive } from "../lease/driver.js";
import type { Clock } from "../platform/clock.js";
import type { NetworkHandler } from "../platform/network.js";
import type { RaftNode } from "../raft/types.js";
import type { Applied, HashKv, MachineReader, MemberRecord } from "../state/types.js";
import type { WatchHub } from "../state/watch/hub.js";
import type { Committer } from "../storage/committer.js";
import type { Defragmenter } from "../storage/defragmenter.js";
import type { StateStore } from "../storage/state-store.js";
import { CompactionRequest } from "../wire/gen/rpc.js";
import { type Proposal, RequestField } from "../wire/proposal.js";
import type { Admission } from "./admission.js";
import type { Leadership } from "./cluster/leadership.js";
import type { MemberChanges } from "./cluster/member-changes.js";
import type { Compactor } from "./compactor.js";
import type { Maintenance } from "./jobs/maintenance.js";
import { readTxn } from "./jobs/read-txn.js";
import type { Lifecycle, StopCause } from "./lifecycle.js";
import type { MemberProbe } from "./probe.js";
import type { Report } from "./report.js";
import type { Readiness } from "./startup/readiness.js";
import type { Proposer } from "./turns/proposer.js";
import type {
  Member,
  MemberIntegrity,
  MemberLimits,
  MemberStatus,
  SnapshotStream,
} from "./types.js";

export interface RunningMemberParts {
  readonly id: bigint;
  readonly clusterId: bigint;
  readonly limits: MemberLimits;
  readonly clock: Clock;
  readonly watch: WatchHub;
  readonly probe: MemberProbe;
  readonly state: Pick<StateStore, "machine" | "backend">;
  readonly raft: Pick<RaftNode, "term" | "leader">;
  readonly admission: Admission;
  readonly proposer: Pick<Proposer, "propose">;
  readonly monitor: Pick<IntegrityMonitor, "whenSure">;
  readonly leases: LeaseDriver;
  readonly changes: MemberChanges;
  readonly compactor: Pick<Compactor, "whenFinished">;
  readonly committer: Pick<Committer, "flush">;
  readonly defragmenter: Defragmenter;
  readonly leadership: Pick<Leadership, "move">;
  readonly readiness: Readiness;
  readonly report: Report;
  readonly lifecycle: Lifecycle;
  readonly maintenance: Maintenance;
  /** Takes what arrives from other members. */
  readonly network: NetworkHandler;
  readBarrier(done: Done<void>): void;
  /** Begins to take part in the cluster. */
  start(): void;
  requestFailed(error: unknown): KvError;
  failed(error: Error): void;
}

export class RunningMember implements Member {
  readonly id: bigint;
  readonly clusterId: bigint;
  readonly limits: MemberLimits;
  readonly watch: WatchHub;
  readonly probe: MemberProbe;
  /** Where the network delivers what other members send. */
  readonly network: NetworkHandler;
  readonly #parts: RunningMemberParts;

  constructor(parts: RunningMemberParts) {
    this.#parts = parts;
    this.id = parts.id;
    this.clusterId = parts.clusterId;
    this.limits = parts.limits;
    this.watch = parts.watch;
    this.probe = parts.probe;
    this.network = parts.network;
  }

  get machine(): MachineReader {
    return this.#parts.state.machine();
  }

  /** Begins to take part in the cluster. Call it once, after the network delivers to `network`. */
  start(): void {
    this.#parts.start();
  }

  term(): number {
    return this.#parts.raft.term();
  }

  leader(): bigint {
    return this.#parts.raft.leader();
  }

  isLearner(): boolean {
    return this.machine.cluster.member(this.id)?.isLearner ?? false;
  }

  isReady(): boolean {
    return this.#parts.readiness.isReady();
  }

  onReady(fn: () => void): void {
    this.#parts.readiness.whenReady(fn);
  }

  onStopped(fn: (cause: StopCause) => void): void {
    this.#parts.lifecycle.onStopped(fn);
  }

  propose(request: Proposal, done: Done<Applied>): void {
    const { field, body, growthBytes, caller } = request;
    const refusal = this.#parts.admission.writeRefusal(body.length, growthBytes);
    if (refusal !== undefined) done(refusal);
    else this.#parts.proposer.propose(field, body, done, caller);
  }

  readBarrier(done: Done<void>): void {
    this.#parts.readBarrier((refusal) => {
      if (refusal === undefined) this.whenSure(done);
      else done(refusal);
    });
  }

  whenSure(done: Done<void>): void {
    if (this.isStopping()) done(new KvError("stopped"));
    else this.#parts.monitor.whenSure(done);
  }

  isStopping(): boolean {
    return this.#parts.lifecycle.isStopping();
  }

  /** The member has stopped; later errors change nothing. */
  isHalted(): boolean {
    return this.#parts.lifecycle.isStopped();
  }

  requestFailed(error: unknown): KvError {
    return this.#parts.requestFailed(error);
  }

  /**
   * Stops the member after a callback of the platform threw: its memory cannot be trusted any more.
   * @throws `error` if the member has stopped already
   */
  callbackFailed(error: Error): void {
    if (this.#parts.lifecycle.isStopped()) throw error;
    this.fail(error);
  }

  refusal(): KvError | undefined {
    return this.#parts.admission.refusal();
  }

  compact(revision: number, physical: boolean, done: Done<number>): void {
    const body = CompactionRequest.encode({ revision: BigInt(revision), physical }).finish();
    const { compactor, committer } = this.#parts;
    this.propose({ field: RequestField.compaction, body, growthBytes: 0 }, (applied) => {
      if (applied instanceof KvError || !physical) {
        done(applied instanceof KvError ? applied : applied.revision);
        return;
      }
      compactor.whenFinished(revision, () => committer.flush(() => done(applied.revision)));
    });
  }

  leaseGrant(
    id: bigint,
    ttl: number,
    done: Done<{ readonly id: bigint; readonly ttl: number; readonly revision: number }>,
  ): void {
    this.#parts.leases.grant(id, ttl, done);
  }

  leaseKeepAlive(id: bigint, done: Done<{ readonly ttl: number }>): void {
    this.#unlessRefused((sure) => this.#parts.leases.keepAlive(id, sure), done);
  }

  leaseTimeToLive(id: bigint, withKeys: boolean, done: Done<TimeToLive>): void {
    this.#unlessRefused((sure) => this.#parts.leases.timeToLive(id, withKeys, sure), done);
  }

  memberAdd(
    peerUrls: readonly string[],
    isLearner: boolean,
    done: Done<{ readonly member: MemberRecord; readonly members: readonly MemberRecord[] }>,
  ): void {
    this.#parts.changes.add(peerUrls, isLearner, done);
  }

  memberRemove(id: bigint, done: Done<readonly MemberRecord[]>): void {
    this.#parts.changes.remove(id, done);
  }

  memberUpdate(id: bigint, peerUrls: readonly string[], done: Done<readonly MemberRecord[]>): void {
    this.#parts.changes.update(id, peerUrls, done);
  }

  memberPromote(id: bigint, done: Done<readonly MemberRecord[]>): void {
    this.#parts.changes.promote(id, done);
  }

  status(): MemberStatus {
    return this.#parts.report.status();
  }

  integrity(): MemberIntegrity {
    return this.#parts.report.integrity();
  }

  metrics(): ReturnType<Member["metrics"]> {
    return this.#parts.report.metrics();
  }

  readTxn(...[request, done]: Parameters<Member["readTxn"]>): void {
    const { clock } = this.#parts;
    const isStopped = (): boolean => this.isStopping();
    const failed = (error: Error): void => this.fail(error);
    readTxn({ clock, machine: () => this.machine, isStopped, failed }, request, done);
  }

  hashKv(revision: number, done: Done<HashKv & { readonly currentRevision: number }>): void {
    this.#parts.maintenance.hashKv(revision, done);
  }

  hash(done: Done<number>): void {
    this.#parts.maintenance.hash(done);
  }

  openSnapshot(done: Done<SnapshotStream>): void {
    this.#parts.maintenance.openSnapshot(done);
  }

  defragment(done: Done<void>): void {
    this.#parts.defragmenter.run(done);
  }

  moveLeader(to: bigint, done: Done<void>): void {
    this.#parts.leadership.move(to, done);
  }

  stop(done: () => void): void {
    this.#parts.lifecycle.stop(done);
  }

  /**
   * Stops the member for an error found above it. `onStopped` reports it. No effect after a stop.
   */
  fail(error: Error): void {
    this.#parts.failed(error);
  }

  /** In quarantine even another member's answer is not passed on: its header would be wrong. */
  #unlessRefused<T>(ask: (done: Done<T>) => void, done: Done<T>): void {
    const refusal = this.refusal();
    if (refusal !== undefined) done(refusal);
    else ask((answer) => done(this.refusal() ?? answer));
  }
}
