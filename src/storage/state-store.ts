/**
 * The member's replicated state: the backend in use and the machine on it. Both change together,
 * when a snapshot is installed or the backend is rewritten compactly. So all other parts ask here
 * each time and keep neither.
 */
import { KvError } from "../base/errors.js";
import { InvariantViolation, invariant } from "../base/invariant.js";
import type { Backend, BackendSnapshot, BackendStore } from "../platform/backend.js";
import type { Clock } from "../platform/clock.js";
import type { Disk } from "../platform/disk.js";
import type { Sha256 } from "../platform/hash.js";
import type { SnapshotMeta } from "../raft/types.js";
import type { Machine } from "../state/apply.js";
import type { WriteRecord } from "../state/movable-backend.js";
import type { KvReader, MachineReader } from "../state/types.js";
import { keepAside, readAside, writeSlot } from "./backend-slot.js";
import type { StateProof } from "./committer.js";
import type { FetchedState } from "./fetched-state.js";
import { type RewriteParts, rewrite } from "./rewrite.js";
import { openStandIn } from "./stand-in.js";
import { type ClientView, StateViews } from "./state-views.js";

/** How a rewrite of the backend ended. */
export interface Compacted {
  readonly durable?: SnapshotMeta;
  readonly error?: Error;
  readonly isFatal?: boolean;
}

export class StateStore {
  readonly #clock: Clock;
  readonly #disk: Disk;
  readonly #backends: BackendStore;
  readonly #sha256: Sha256;
  #name: string;
  #backend: Backend;
  #machine: Machine;
  /** While a stand-in is in use: the backend that the slot names. */
  #aside: string | undefined;
  /** Wrong backends that are not closed yet. */
  readonly #closing: readonly [own: Set<string>, restart: ReadonlySet<string>];
  /** Stand-ins made so far. Each has its own name: an earlier one may not be closed yet. */
  #standIns: number;
  readonly #views: StateViews;
  /** Number of backends that are being closed. */
  #leaving = 0;
  #whenLeft: (() => void) | undefined;
  #isClosed = false;
  #record: WriteRecord | undefined;

  constructor(
    world: {
      readonly clock: Clock;
      readonly disk: Disk;
      readonly backends: BackendStore;
      readonly sha256: Sha256;
    },
    current: FetchedState,
    former: { readonly aside?: string; readonly closing?: ReadonlySet<string> } = {},
  ) {
    this.#clock = world.clock;
    this.#views = new StateViews(world.clock);
    this.#disk = world.disk;
    this.#backends = world.backends;
    this.#sha256 = world.sha256;
    this.#name = current.name;
    this.#backend = current.backend;
    this.#machine = current.machine;
    this.#aside = former.aside;
    this.#closing = [new Set(), former.closing ?? new Set()];
    this.#standIns = former.aside === undefined ? 0 : 1;
  }

  /** The backend's name. While a stand-in is in use: the name of the wrong backend. */
  name(): string {
    return this.#aside ?? this.#name;
  }

  /** True while a stand-in is in the place of a wrong state. */
  isStandIn(): boolean {
    return this.#aside !== undefined;
  }

  machine(): MachineReader {
    return this.#machine;
  }

  /** The same machine, for the applier alone. */
  writableMachine(): Machine {
    return this.#machine;
  }

  /**
   * The backend in use, for reads within this turn. A reader that needs several turns takes a view.
   */
  backend(): Backend {
    return this.#backend;
  }

  /** True when the member stops. Nothing can be read any more. */
  isClosed(): boolean {
    return this.#isClosed;
  }

  /**
   * The durable state, frozen, for the member's own work: see StateViews. The caller closes it.
   * @throws KvError stopped
   */
  view(): BackendSnapshot {
    if (this.#isClosed) throw new KvError("stopped");
    return this.#views.open(this.#backend);
  }

  /**
   * As `view`, for a client. Calls `ended` if the view is ended before it is closed. @throws
   * KvError corrupt, stopped, tooManyViews
   */
  viewForClient(ended: (error: KvError) => void): ClientView {
    if (this.#isClosed) throw new KvError("stopped");
    if (this.isStandIn()) throw new KvError("corrupt");
    return this.#views.openForClient(this.#backend, ended);
  }

  /** A reader that always reads the state in use, for parts that must keep one. */
  kv(): KvReader {
    const now = (): KvReader => this.#machine.kv;
    return {
      revision: () => now().revision(),
      compactRevision: () => now().compactRevision(),
      finishedCompactRevision: () => now().finishedCompactRevision(),
      range: (request) => now().range(request),
      readRange: (request, way) => now().readRange(request, way),
      readTxn: (request) => now().readTxn(request),
      kvAt: (key, revision) => now().kvAt(key, revision),
      history: (options, visit) => now().history(options, visit),
      hashKv: (revision) => now().hashKv(revision),
      compactions: () => now().compactions(),
      keyCount: () => now().keyCount(),
    };
  }

  /** Index, term and configuration of the applied state, for raft and the log. */
  meta(): SnapshotMeta {
    const { appliedIndex, appliedTerm, confState } = this.#machine;
    return { index: appliedIndex, term: appliedTerm, confState };
  }

  /** Identifies and proves the applied state, for a snapshot of it. */
  proof(): StateProof {
    const digests = this.#machine.digests();
    return { meta: this.meta(), root: digests.root, digests };
  }

  /**
   * Replaces the current state by a complete one that is durable at some index. If the current one
   * is a stand-in, the wrong backend is kept aside. Views of the old state stay valid, and its
   * backend is removed after the last of them. @throws the disk's errors
   */
  replace(next: FetchedState): void {
    const old = { name: this.#name, backend: this.#backend };
    invariant(next.backend !== old.backend, "a state takes its own place");
    this.#record?.stop();
    if (this.#aside !== undefined) keepAside(this.#disk, this.#backends, this.#aside);
    writeSlot(this.#disk, next.name);
    this.#aside = undefined;
    this.#name = next.name;
    this.#backend = next.backend;
    this.#machine = next.machine;
    this.#views.replaced(old.backend);
    this.#leave(old.backend, () => this.#backends.remove(old.name));
  }

  /**
   * Replaces a wrong state by a stand-in with the same members at the same index. The wrong backend
   * stays on the disk, and the slot still names it. Clients that read from it get the error
   * corrupt.
   */
  standIn(): void {
    const old = { name: this.#name, backend: this.#backend };
    const { appliedIndex: index, appliedTerm: term, cluster, auth } = this.#machine;
    const next = openStandIn(
      { backends: this.#backends, sha256: this.#sha256, number: this.#standIns++ },
      { index, term, cluster, auth },
    );
    this.#name = next.name;
    this.#backend = next.backend;
    this.#machine = next.machine;
    this.#record?.stop();
    const isStandIn = this.#aside !== undefined;
    if (!isStandIn) {
      this.#aside = old.name;
      this.#closing[0].add(old.name);
    }
    this.#views.end(old.backend, new KvError("corrupt"));
    const left = (): void => {
      this.#closing[0].delete(old.name);
      if (isStandIn) this.#backends.remove(old.name);
    };
    // The wrong rows are evidence, and some may not be on the disk yet.
    this.#leave(old.backend, left, { commits: !isStandIn });
  }

  /** Closes a backend that is no longer in use, then calls `left`. */
  #leave(backend: Backend, left: () => void, { commits = false } = {}): void {
    this.#leaving++;
    const close = (): void =>
      backend.close(() => {
        invariant(this.#leaving > 0, "a backend is closed twice");
        left();
        this.#leaving--;
        if (this.#leaving === 0) this.#whenLeft?.();
      });
    if (commits) backend.commit(close);
    else close();
  }

  /**
   * Opens a wrong backend that is kept aside. Calls `done` once; its receiver closes the backend.
   */
  openAside(name: string, done: (result: Backend | Error) => void): void {
    if (!this.#isAside(name)) {
      done(new Error("it is not kept any more"));
      return;
    }
    this.#backends.probe(name, (problem) => {
      if (problem !== undefined || !this.#isAside(name)) {
        done(problem ?? new Error("it is not kept any more"));
        return;
      }
      try {
        done(this.#backends.open(name, "read"));
      } catch (error) {
        if (error instanceof InvariantViolation) throw error;
        done(error as Error);
      }
    });
  }

  #isAside(name: string): boolean {
    if (this.#isClosed) return false;
    const isKept =
      !this.#closing.some((names) => names.has(name)) && readAside(this.#disk).includes(name);
    return isKept && this.#backends.list().includes(name);
  }

  /**
   * Starts to record the writes of the machine. Call it before the commit that `compactFile` builds
   * on begins. The record stops when another state comes into use, because it lacks the writes to
   * that one.
   */
  recordWrites(): WriteRecord {
    this.#record = this.#machine.recordWrites();
    return this.#record;
  }

  /**
   * Rewrites the rows into a fresh backend and puts that into use, while entries are applied.
   * `record`: the writes since before the last commit began; it must not be stopped. After an error nothing has changed,
   * unless `isFatal` is true. On success `durable` tells which state a crash leaves; undefined:
   * another state was put into use meanwhile.
   */
  compactFile(record: WriteRecord, done: (result: Compacted) => void): void {
    // Older backends may still be read, so the name must be new.
    const numbers = this.#backends.list().map((known) => /^state-(\d+)$/.exec(known)?.[1] ?? 0);
    const into = `state-${1 + Math.max(0, ...numbers.map(Number))}`;
    invariant(!record.isStopped, "writes were not recorded that the new file needs");
    const source = this.#backend;
    const machine = this.#machine;
    let durable = this.meta();
    const discard = (): void => {
      if (this.#backends.list().includes(into)) this.#backends.remove(into);
    };
    const parts: RewriteParts = {
      ...{ clock: this.#clock, backends: this.#backends, source, into, record },
      // Meanwhile the state may be found wrong, or the member may stop.
      isWanted: () => source === this.#backend && !this.#isClosed,
      committing: () => {
        durable = this.meta();
      },
    };
    this.#leaving++;
    rewrite(parts, (copy) => {
      record.stop();
      this.#leaving--;
      if (copy === undefined || copy instanceof Error) {
        discard();
        if (this.#isClosed && this.#leaving === 0) this.#whenLeft?.();
        done(copy === undefined ? {} : { error: copy });
        return;
      }
      try {
        machine.moveTo(copy);
        this.replace({ name: into, backend: copy, machine });
      } catch (error) {
        done({ error: error as Error, isFatal: true });
        return;
      }
      done({ durable });
    });
  }

  /** Ends all views. Calls `done` once, later, when all backends are closed. */
  close(done: () => void): void {
    this.#isClosed = true;
    this.#views.end(undefined, new KvError("stopped"));
    this.#whenLeft = done;
    this.#leave(this.#backend, () => {});
  }
}
