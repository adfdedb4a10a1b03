/**
 * The replicated state machine. `apply` is a pure function of the state and the entry, and the only
 * way to change replicated rows. It opens the one write handle, applies one entry, and closes it
 * with the row that names index, term, revisions and digests: so content and index agree.
 *
 * Every check comes before the first change, so an entry is applied whole or refused whole. If
 * `apply` throws, there is a bug or a damaged backend: the machine is useless, the member stops.
 *
 * An entry that changes many rows may be applied in slices (`begin`). Its rows and digests are
 * gathered beside those in force, the key index takes changes of a revision that no reader asks
 * for, and the lease table shows attachments from before. The last slice ends with one write.
 */

import { DamageError, KvError, rebuildAdvice } from "../base/errors.js";
import { toSafe } from "../base/int64.js";
import { InvariantViolation, invariant } from "../base/invariant.js";
import type { Backend } from "../platform/backend.js";
import type { Sha256 } from "../platform/hash.js";
import type { Bucket } from "../platform/rows.js";
import { type ConfState, type Entry, EntryType } from "../raft/types.js";
import { ConfChangeRequest, ConfChangeRequest_Type } from "../wire/gen/internal.js";
import {
  AlarmRequest,
  CompactionRequest,
  LeaseCheckpointRequest,
  LeaseGrantRequest,
} from "../wire/gen/rpc.js";
import { type OpenedRequest, openPut, openRequest } from "../wire/internal-request.js";
import { RequestField } from "../wire/proposal.js";
import { AlarmSet } from "./alarm/alarm-set.js";
import { type ApplyWay, type Machine, type OpenEntry, wholeEntry } from "./apply.js";
import { auditRows } from "./audit.js";
import { applyAuth } from "./auth/auth-commands.js";
import { AuthTable } from "./auth/auth-table.js";
import { adminRefusal, needsAdmin, putRefusal } from "./auth/rights.js";
import type { AuthReader } from "./auth/types.js";
import { ClusterState } from "./cluster/cluster-state.js";
import { DigestSet, digestedBuckets, digestVersion, rootDigest } from "./digest.js";
import { EntryWrite } from "./entry-write.js";
import type { Fingerprint } from "./fingerprint.js";
import { fingerprintBytes } from "./fingerprint.js";
import { LeaseTable } from "./lease/lease-table.js";
import { chainOf } from "./log-chain.js";
import { emptyMeta, encodeMeta, type Meta, metaKey, readMeta } from "./meta.js";
import { MovableBackend, type WriteRecord } from "./movable-backend.js";
import { AnswerRoom } from "./mvcc/answer-room.js";
import { compactStep, keepsAny } from "./mvcc/compaction.js";
import { KvStore } from "./mvcc/kv-store.js";
import { KvWriter } from "./mvcc/kv-writer.js";
import { applyPut, checkPut } from "./mvcc/txn.js";
import { decode } from "./requests/decode-request.js";
import { type LargeRequest, largeRequest } from "./requests/large-request.js";
import { executeOwn, type OwnRequestParts } from "./requests/own-requests.js";
import type {
  AlarmRecord,
  Applied,
  Digests,
  Job,
  MemberRecord,
  Outcome,
  RevisionEvents,
} from "./types.js";
import { runThrough, Work } from "./work.js";

/** How many rows a compaction's own entry looks at. Further steps are entries of their own. */
const firstStepRows = 1_000;

const nobody = { requestId: 0, proposer: 0n };
/** If an entry writes more rows of the key space than this, the rest of them are packed. */
const packedFrom = 64;

/** Makes the machine for the content of the backend. @throws DamageError */
export function createMachine(backend: Backend, sha256: Sha256): Machine {
  return runThrough(openMachine(backend, sha256, new Work(Number.POSITIVE_INFINITY)));
}

/** The same with pauses, in which nobody may write to the backend. Refill `work` before each step. */
export function* openMachine(
  backend: Backend,
  sha256: Sha256,
  work: Work,
): Generator<undefined, Machine> {
  try {
    const machine = new ReplicatedMachine(backend, sha256);
    yield* machine.restore(work);
    return machine;
  } catch (error) {
    if (!(error instanceof InvariantViolation)) throw error;
    // Each row passes its check, but the rows contradict each other: some are missing or do not
    // belong here.
    throw new DamageError({
      finding: `the rows of the backend contradict each other (${error.message}): rows were lost or added`,
      advice: rebuildAdvice,
    });
  }
}

class ReplicatedMachine implements Machine {
  readonly kv: KvStore;
  readonly leases = new LeaseTable();
  readonly cluster = new ClusterState();
  readonly auth = new AuthTable();
  readonly #backend: MovableBackend;
  readonly #sha256: Sha256;
  /** The digests of the applied state. */
  readonly #digests: DigestSet;
  /** The digests of the entry that is being applied in slices. */
  readonly #nextDigests: DigestSet;
  readonly #alarms = new AlarmSet();
  readonly #meta: Meta;
  readonly #ownParts: OwnRequestParts;
  /** True while an entry is being applied in slices. */
  #isOpen = false;

  constructor(backend: Backend, sha256: Sha256) {
    this.#backend = new MovableBackend(backend);
    this.#sha256 = sha256;
    this.#digests = new DigestSet(sha256);
    this.#nextDigests = new DigestSet(sha256);
    this.#meta = readMeta(backend, this.#digests) ?? emptyMeta();
    this.kv = new KvStore(this.#backend, this.#meta, (key) => this.leases.leaseOfText(key));
    this.#ownParts = {
      ...{ cluster: this.cluster, alarms: this.#alarms, meta: this.#meta },
      compactStep: (w, rowsMax) => this.#compactStep(w, rowsMax),
    };
  }

  /** Fills the tables and the index from the rows. The machine is of no use before. */
  *restore(work: Work): Generator<undefined, void> {
    yield* this.leases.restoreInSlices(this.kv.rows, work);
    for (const table of [this.#alarms, this.cluster, this.auth]) table.restore(this.kv.rows);
    yield* this.kv.restore(work, (key, lease) => this.leases.attach(key, lease));
  }

  recordWrites(): WriteRecord {
    return this.#backend.record();
  }

  moveTo(backend: Backend): void {
    this.#backend.moveTo(backend);
  }

  get appliedIndex(): number {
    return this.#meta.index;
  }

  get appliedTerm(): number {
    return this.#meta.term;
  }

  get confState(): ConfState {
    return this.cluster.confState();
  }

  alarms(): readonly AlarmRecord[] {
    return this.#alarms.all();
  }

  digests(): Digests {
    const { index, term, revision, compactRevision, logChain } = this.#meta;
    const fields = { index, term, revision, compactRevision, logChain };
    return {
      version: digestVersion,
      index,
      term,
      buckets: new Map(digestedBuckets.map((bucket) => [bucket, this.#digests.digest(bucket)])),
      root: rootDigest(this.#digests, fields, this.#sha256),
    };
  }

  fingerprint(): Fingerprint {
    const { index, revision, compactRevision, logChain } = this.#meta;
    const rows = new Uint8Array(fingerprintBytes);
    this.#digests.writeFingerprint(rows, 0);
    return { version: digestVersion, index, revision, compactRevision, logChain, rows };
  }

  audit(): Job<ReadonlySet<Bucket>> {
    const { rows, index } = this.kv;
    const { leases, cluster, auth } = this;
    const job = auditRows({ rows, index, leases, alarms: this.#alarms, cluster, auth });
    // In the middle of an entry the tables are ahead of the rows, so the audit waits.
    return { step: (rowsMax) => (this.#isOpen ? undefined : job.step(rowsMax)) };
  }

  bootstrap(state: {
    readonly clusterId: bigint;
    readonly members: readonly MemberRecord[];
    readonly index: number;
    readonly term: number;
    readonly removed?: ReadonlySet<bigint>;
    readonly clusterVersion?: string;
    readonly auth?: AuthReader;
  }): void {
    invariant(this.#meta.index === 0, "a state is founded twice");
    const w = new EntryWrite(this.#backend, this.#digests);
    const { members, removed = new Set<bigint>(), clusterVersion = "" } = state;
    this.cluster.bootstrap(w, state.clusterId, { members, removed, clusterVersion });
    if (state.auth !== undefined) this.auth.copyFrom(state.auth, w);
    this.#closeAt(w, state.index, state.term);
  }

  apply(entry: Entry): Applied {
    const begun = this.begin(entry, wholeEntry);
    if (!("step" in begun)) return begun;
    throw new InvariantViolation("an entry paused that was to be applied at once");
  }

  begin(entry: Entry, way: ApplyWay): Applied | OpenEntry {
    invariant(!this.#isOpen, "an entry is applied before the one before it was done");
    invariant(entry.index === this.#meta.index + 1, "entries are applied out of order", () => ({
      entry: entry.index,
      applied: this.#meta.index,
    }));
    if (entry.type !== EntryType.normal) {
      return this.#applyConfChange(new EntryWrite(this.#backend, this.#digests), entry);
    }
    if (entry.data.length === 0) {
      this.#close(new EntryWrite(this.#backend, this.#digests), entry);
      return this.#applied(nobody, { kind: "none" }, undefined);
    }
    const request = openRequest(entry.data);
    const { leases, auth } = this;
    const execute = largeRequest(request, { leases, auth, alarms: this.#alarms });
    if (execute === undefined) return this.#applyAtOnce(entry, request);
    return this.#open(entry, request, { execute, way });
  }

  #applyAtOnce(entry: Entry, request: OpenedRequest): Applied {
    const w = new EntryWrite(this.#backend, this.#digests);
    const writer = new KvWriter(w, { index: this.kv.index, leases: this.leases }, this.#meta);
    let outcome: Outcome | KvError;
    try {
      outcome = this.#execute(request, w, writer);
    } catch (error) {
      if (!(error instanceof KvError)) throw error;
      outcome = error;
    }
    invariant(w.isEmpty || !(outcome instanceof KvError), "a refused entry changed something");
    const events = writer.events();
    if (events !== undefined) this.#meta.revision = events.revision;
    this.#close(w, entry);
    return this.#applied(request, outcome, events);
  }

  /** Does the first slice. Most entries are complete after it. */
  #open(
    entry: Entry,
    request: OpenedRequest,
    { execute, way }: { readonly execute: LargeRequest; readonly way: ApplyWay },
  ): Applied | OpenEntry {
    this.#isOpen = true;
    this.#nextDigests.copyFrom(this.#digests);
    this.kv.beginChange();
    this.leases.beginChange();
    const work = new Work(way.units);
    const room = way.isAnswerWanted(request) ? AnswerRoom.ofEntry() : undefined;
    const w = new EntryWrite(this.#backend, this.#nextDigests, packedFrom);
    const tables = { index: this.kv.index, leases: this.leases };
    const writer = new KvWriter(w, tables, this.#meta, way.eventsMax);
    const steps = execute({ w, writer, way: { work, room } });
    const step = (): Applied | undefined => {
      let outcome: Outcome | KvError;
      try {
        const result = steps.next();
        if (result.done !== true) return undefined;
        outcome = result.value;
      } catch (error) {
        if (!(error instanceof KvError)) throw error;
        outcome = error;
      }
      invariant(w.isEmpty || !(outcome instanceof KvError), "a refused entry changed something");
      const events = writer.events();
      this.#digests.copyFrom(this.#nextDigests);
      this.kv.endChange();
      this.leases.endChange();
      this.#isOpen = false;
      if (events !== undefined) this.#meta.revision = events.revision;
      this.#close(w, entry);
      const applied = this.#applied(request, outcome, events);
      return room?.isExceeded === true ? { ...applied, isAnswerTooLarge: true } : applied;
    };
    return (
      step() ?? {
        index: entry.index,
        step: (units) => {
          work.refill(units);
          return step();
        },
      }
    );
  }

  #execute(request: OpenedRequest, w: EntryWrite, writer: KvWriter): Outcome | KvError {
    const { field, body } = request;
    // Alarms are replicated state, so all members refuse the same entries.
    const isClients = field >= RequestField.put && field <= RequestField.leaseRevoke;
    if (isClients && this.#alarms.isClusterCorrupt()) return new KvError("corrupt");
    switch (field) {
      case RequestField.put: {
        if (this.#isOutOfSpace()) return new KvError("noSpace");
        const put = openPut(body);
        const refusal = putRefusal(this, request, put);
        if (refusal !== undefined) return refusal;
        checkPut(writer, this.leases, put);
        return applyPut(writer, put);
      }
      case RequestField.compaction:
        return this.#compact(w, toSafe(decode(CompactionRequest, body).revision));
      case RequestField.leaseGrant: {
        if (this.#isOutOfSpace()) return new KvError("noSpace");
        const { ID, TTL } = decode(LeaseGrantRequest, body);
        return this.leases.grant(w, ID, toSafe(TTL));
      }
      case RequestField.alarm:
        return this.#alarms.apply(w, decode(AlarmRequest, body));
      case RequestField.leaseCheckpoint: {
        const { checkpoints } = decode(LeaseCheckpointRequest, body);
        const list = checkpoints.map((c) => ({ id: c.ID, remainingTtl: toSafe(c.remaining_TTL) }));
        this.leases.checkpoint(w, list);
        return { kind: "none" };
      }
      default:
        return this.#executeAuth(request, w) ?? executeOwn(this.#ownParts, request, w);
    }
  }

  #executeAuth(request: OpenedRequest, w: EntryWrite): Outcome | KvError | undefined {
    const refusal = needsAdmin(request.field) ? adminRefusal(this.auth, request) : undefined;
    const change = refusal ?? applyAuth(this.auth, w, request);
    if (change === undefined || change instanceof KvError) return change;
    return { kind: "auth", change };
  }

  /** As in etcd: while any member is out of space, only requests that can free it are applied. */
  #isOutOfSpace(): boolean {
    return this.#alarms.has("NOSPACE");
  }

  #compact(w: EntryWrite, revision: number): Outcome {
    if (revision <= this.#meta.compactRevision) throw new KvError("compacted");
    if (revision > this.#meta.revision) throw new KvError("futureRevision");
    const { compactRevision: before, finishedCompactRevision } = this.#meta;
    const { index, compactionHashes } = this.kv;
    if (finishedCompactRevision < before) compactionHashes.giveUp();
    else compactionHashes.begin(revision, before, () => keepsAny(index, revision));
    this.#meta.compactRevision = revision;
    this.#meta.cursorMain = 0;
    this.#meta.cursorSub = 0;
    this.#compactStep(w, firstStepRows);
    return { kind: "compaction" };
  }

  #compactStep(w: EntryWrite, rowsMax: number): void {
    const { rows, index, compactionHashes: hashes } = this.kv;
    compactStep(w, { rows, index, meta: this.#meta, hashes }, rowsMax);
  }

  #applyConfChange(w: EntryWrite, entry: Entry): Applied {
    // Empty data leaves a joint configuration, which this machine never enters.
    if (entry.data.length === 0) {
      this.#close(w, entry);
      return { ...this.#applied(nobody, { kind: "none" }, undefined), conf: { change: undefined } };
    }
    const request = decode(ConfChangeRequest, entry.data);
    const { outcome, change } = this.cluster.applyConfChange(w, request);
    if (change !== undefined && request.type === ConfChangeRequest_Type.REMOVE) {
      this.#alarms.removeMember(w, request.node_id);
    }
    this.#close(w, entry);
    const proposal = {
      requestId: Number(request.header?.ID ?? 0n),
      proposer: request.header?.proposer ?? 0n,
    };
    return { ...this.#applied(proposal, outcome, undefined), conf: { change } };
  }

  #close(w: EntryWrite, entry: Entry): void {
    this.#meta.logChain = chainOf(this.#meta.logChain, entry);
    this.#closeAt(w, entry.index, entry.term);
  }

  #closeAt(w: EntryWrite, index: number, term: number): void {
    this.#meta.index = index;
    this.#meta.term = term;
    w.commit(metaKey, encodeMeta(this.#meta, this.#digests));
  }

  #applied(
    proposal: Pick<Applied, "requestId" | "proposer">,
    outcome: Outcome | KvError,
    events: RevisionEvents | undefined,
  ): Applied {
    const { index, revision } = this.#meta;
    const { requestId, proposer } = proposal;
    return { index, proposer, requestId, revision, outcome, events, conf: undefined };
  }
}
