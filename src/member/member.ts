/**
 * A running member as its services see it (types.ts). It turns requests of clients into proposals,
 * read barriers or questions to the leader. Its parts are put together in assemble.ts.
 */
import type { Authenticator } from "../auth/authenticator.js";
import type { Done } from "../base/done.js";
import { KvError } from "../base/errors.js";
import type { IntegrityMonitor } from "../integrity/monitor.js";
import type { LeaseDriver } from "../lease/driver.js";
import type { Clock } from "../platform/clock.js";
import type { NetworkHandler } from "../platform/network.js";
import type { RaftNode } from "../raft/types.js";
import type { Applied, MachineReader, MemberRecord } from "../state/types.js";
import type { WatchHub } from "../state/watch/hub.js";
import type { Committer } from "../storage/committer.js";
import type { Defragmenter } from "../storage/defragmenter.js";
import type { StateStore } from "../storage/state-store.js";
import { CompactionRequest } from "../wire/gen/rpc.js";
import { RequestField } from "../wire/proposal.js";
import type { LeaseTimes } from "../wire/time-to-live.js";
import type { Leadership } from "./cluster/leadership.js";
import type { MemberChanges } from "./cluster/member-changes.js";
import type { Compactor } from "./compactor.js";
import type { Gate } from "./gate/gate.js";
import type { Client, ReadRequest, WriteRequest } from "./gate/requests.js";
import type { Page, QueueingRpc, ReadingRpc, Rpc, WritingRpc } from "./gate/table.js";
import type { LeaseListJobs } from "./jobs/lease-lists.js";
import type { Maintenance } from "./jobs/maintenance.js";
import type { Reads } from "./jobs/reads.js";
import type { Lifecycle, StopCause } from "./lifecycle.js";
import type { OperationCounts } from "./operation-counts.js";
import type { MemberProbe } from "./probe.js";
import type { Report } from "./report.js";
import type { Readiness } from "./startup/readiness.js";
import type { Member, MemberIntegrity, MemberLimits, MemberStatus } from "./types.js";

export interface RunningMemberParts {
  readonly id: bigint;
  readonly clusterId: bigint;
  readonly limits: MemberLimits;
  readonly clock: Clock;
  readonly watch: WatchHub;
  readonly probe: MemberProbe;
  readonly state: Pick<StateStore, "machine" | "backend">;
  readonly raft: Pick<RaftNode, "term" | "leader">;
  readonly operations: OperationCounts;
  readonly authenticator: Authenticator;
  readonly gate: Pick<
    Gate,
    "admit" | "admitPage" | "admitWaiting" | "barrier" | "read" | "relay" | "write"
  >;
  readonly monitor: Pick<IntegrityMonitor, "refusal">;
  readonly leases: Pick<LeaseDriver, "grant" | "keepAlive" | "timeToLive">;
  readonly leaseLists: Pick<LeaseListJobs, "ids">;
  readonly changes: Pick<MemberChanges, "add" | "promote" | "remove" | "update">;
  readonly compactor: Pick<Compactor, "whenFinished">;
  readonly committer: Pick<Committer, "flush">;
  readonly defragmenter: Pick<Defragmenter, "run">;
  readonly leadership: Pick<Leadership, "move">;
  readonly readiness: Pick<Readiness, "isReady" | "whenReady">;
  readonly report: Pick<Report, "integrity" | "metrics" | "status">;
  readonly lifecycle: Pick<Lifecycle, "isStopped" | "onStopped" | "stop">;
  readonly maintenance: Pick<Maintenance, "hash" | "hashKv" | "openSnapshot">;
  readonly clientReads: Pick<Reads, "hold" | "range" | "txn">;
  /** Takes what arrives from other members. */
  readonly network: NetworkHandler;
  /** Begins to take part in the cluster. */
  start(): void;
  requestFailed(error: unknown): KvError;
  failed(error: Error): void;
}

type LeaseAsk<T> = (done: Done<T>) => void;

export class RunningMember implements Member {
  readonly id: bigint;
  readonly clusterId: bigint;
  readonly limits: MemberLimits;
  readonly watch: WatchHub;
  readonly probe: MemberProbe;
  readonly operations: OperationCounts;
  readonly authenticator: Authenticator;
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
    this.operations = parts.operations;
    this.authenticator = parts.authenticator;
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

  admit(rpc: Rpc, client: Client): KvError | undefined {
    return this.#parts.gate.admit(rpc, client);
  }

  admitWaiting(rpc: QueueingRpc, waiting: number): KvError | undefined {
    return this.#parts.gate.admitWaiting(rpc, waiting);
  }

  admitPage(page: Page): KvError | undefined {
    return this.#parts.gate.admitPage(page);
  }

  read(rpc: ReadingRpc, request: ReadRequest, done: Done<void>): void {
    this.#parts.gate.read(rpc, request, done);
  }

  write(rpc: WritingRpc, request: WriteRequest, done: Done<Applied>): void {
    this.#parts.gate.write(rpc, request, done);
  }

  readBarrier(done: Done<void>): void {
    this.#parts.gate.barrier(done);
  }

  integrityRefusal(): KvError | undefined {
    return this.#parts.monitor.refusal();
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

  compact(...[client, of, done]: Parameters<Member["compact"]>): void {
    const { revision, physical } = of;
    const body = CompactionRequest.encode({ revision: BigInt(revision), physical }).finish();
    const { gate, compactor, committer } = this.#parts;
    const request = { field: RequestField.compaction, body, growthBytes: 0, client };
    gate.write("/etcdserverpb.KV/Compact", request, (applied) => {
      if (applied instanceof KvError || !physical) {
        done(applied instanceof KvError ? applied : applied.revision);
        return;
      }
      compactor.whenFinished(revision, () => committer.flush(() => done(applied.revision)));
    });
  }

  leaseGrant(...[client, of, done]: Parameters<Member["leaseGrant"]>): void {
    const { gate, leases } = this.#parts;
    const write: Parameters<LeaseDriver["grant"]>[1] = (request, applied) =>
      gate.write("/etcdserverpb.Lease/LeaseGrant", { ...request, client }, applied);
    leases.grant(of, write, done);
  }

  leaseKeepAlive(...[client, id, done]: Parameters<Member["leaseKeepAlive"]>): void {
    const { gate, leases } = this.#parts;
    const ask: LeaseAsk<{ readonly ttl: number }> = (answered) => leases.keepAlive(id, answered);
    gate.relay("/etcdserverpb.Lease/LeaseKeepAlive", client, ask, (answer) => {
      if (!(answer instanceof KvError) && answer.ttl > 0) this.operations.leaseRenewed();
      done(answer);
    });
  }

  leaseTimeToLive(...[client, of, done]: Parameters<Member["leaseTimeToLive"]>): void {
    const { gate, leases } = this.#parts;
    const ask: LeaseAsk<LeaseTimes> = (told) => leases.timeToLive(of.id, of.withKeys, told);
    gate.relay("/etcdserverpb.Lease/LeaseTimeToLive", client, ask, done);
  }

  leaseList(...asked: Parameters<Member["leaseList"]>): void {
    this.#parts.leaseLists.ids(...asked);
  }

  memberAdd(...[client, of, done]: Parameters<Member["memberAdd"]>): void {
    this.#parts.changes.add(client, of, done);
  }

  memberRemove(client: Client, id: bigint, done: Done<readonly MemberRecord[]>): void {
    this.#parts.changes.remove(client, id, done);
  }

  memberUpdate(...[client, of, done]: Parameters<Member["memberUpdate"]>): void {
    this.#parts.changes.update(client, of, done);
  }

  memberPromote(client: Client, id: bigint, done: Done<readonly MemberRecord[]>): void {
    this.#parts.changes.promote(client, id, done);
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

  readRange(...asked: Parameters<Member["readRange"]>): void {
    this.#parts.clientReads.range(...asked);
  }

  holdAnswer(...waiting: Parameters<Member["holdAnswer"]>): ReturnType<Member["holdAnswer"]> {
    return this.#parts.clientReads.hold(...waiting);
  }

  readTxn(...asked: Parameters<Member["readTxn"]>): void {
    this.#parts.clientReads.txn(...asked);
  }

  hashKv(...asked: Parameters<Member["hashKv"]>): void {
    this.#parts.maintenance.hashKv(...asked);
  }

  hash(...asked: Parameters<Member["hash"]>): void {
    this.#parts.maintenance.hash(...asked);
  }

  openSnapshot(...asked: Parameters<Member["openSnapshot"]>): void {
    this.#parts.maintenance.openSnapshot(...asked);
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
}
