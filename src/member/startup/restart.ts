/**
 * A restart: opens the write-ahead log and the backend that it continues. The backend has to prove
 * itself before the member answers from it: its rows against their digests, its index against the
 * log. A backend that fails is set aside; the member then starts in quarantine with a stand-in, and
 * heals from its peers. A log that lost entries is refused: the member may have forgotten what it
 * acknowledged.
 */
import { DamageError, rebuildAdvice, StartError } from "../../base/errors.js";
import {
  type Quarantine,
  readQuarantine,
  writeQuarantine,
} from "../../integrity/quarantine-file.js";
import { checkAgainstNotes, checkpointNotesOf } from "../../integrity/startup/checkpoint-note.js";
import { proveLog } from "../../integrity/startup/log-fingerprint.js";
import { recoverCluster } from "../../integrity/startup/recover.js";
import type { Backend } from "../../platform/backend.js";
import type { Platform } from "../../platform/platform.js";
import { termMax } from "../../raft/message-check.js";
import type { HardState, SnapshotMeta } from "../../raft/types.js";
import { fetchedPrefix } from "../../snapshot/sink.js";
import type { Machine } from "../../state/apply.js";
import { openMachine } from "../../state/machine.js";
import type { Work } from "../../state/work.js";
import { readAside, readSlot, writeSlot } from "../../storage/backend-slot.js";
import { openStandIn } from "../../storage/stand-in.js";
import { proveRows, verifyState } from "../../storage/verify-state.js";
import { MemoryLogStorage } from "../../wal/memory-log-storage.js";
import { type LogIdentity, openWalInSlices, type Recovered, type Wal } from "../../wal/wal.js";
import type { MemberConfig } from "../config.js";
import { drawIncarnation, KnownIncarnations } from "../incarnation/known-incarnations.js";
import { versionRefusal } from "./version-check.js";

/** A start scans all rows of a backend up to this size. The running member reads a larger one. */
const fullScanBytesMax = 256 * 1024 * 1024;

export interface Restarted {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  /** The incarnation of the log. */
  readonly incarnation: bigint;
  readonly isJoiner: boolean;
  readonly known: Pick<KnownIncarnations, "get" | "set">;
  readonly wal: Wal;
  readonly log: MemoryLogStorage;
  readonly hardState: HardState;
  readonly backendName: string;
  readonly backend: Backend;
  readonly machine: Machine;
  /** The state is too large to be read at the start, so the member must not serve yet. */
  readonly isUnproven?: boolean;
  /** The durable part of the backend, if `machine` is ahead of it. Undefined: all is durable. */
  readonly durable?: SnapshotMeta | undefined;
  /** Set if the state on disk is not to be trusted. `machine` is a stand-in then. */
  readonly quarantine?: Quarantine;
  /** With `quarantine`: the backend that the slot names. */
  readonly aside?: string;
  /** Names of backends that may not be closed yet. */
  readonly closing?: ReadonlySet<string>;
}

interface OpenedState {
  readonly name: string;
  readonly backend: Backend;
  readonly machine: Machine;
}

/**
 * Works with pauses: a long log and the rows of a large backend take seconds. @throws DamageError,
 * StartError; then everything is closed again except the disk
 */
export function* restart(
  { platform, config }: { readonly platform: Platform; readonly config: MemberConfig },
  walDir: string,
  work: Work,
): Generator<undefined, Restarted> {
  const options = { dir: walDir, segmentBytes: config.walSegmentBytes };
  const { wal, recovered } = yield* openWalInSlices(platform.disk, options, work);
  refuseLastTerm(recovered.hardState.term, () => wal.close());
  const slot = readSlot(platform.disk);
  if (slot === undefined) {
    throw new DamageError({
      finding: `there is a write-ahead log, but no backend is named in "backend.current": part of the data directory is missing`,
      advice: `Put it back, or remove this member from the cluster and add it anew with an empty data directory`,
    });
  }
  const start = new Restart({ platform, config, recovered }, slot);
  const { machine, backend, name } = yield* start.open(work);
  const refusal = versionRefusal(config.serverVersion, machine.cluster.clusterVersion());
  if (refusal !== undefined) {
    backend.close(() => {});
    throw refusal;
  }
  const kept = [name, slot, ...start.closing, ...readAside(platform.disk)];
  for (const other of platform.backends.list()) {
    if (!kept.includes(other)) platform.backends.remove(other);
  }
  const { hardState, metadata } = recovered;
  const known = new KnownIncarnations(platform.disk);
  const { quarantine, isUnproven, durable } = start;
  return {
    ...{ ...metadata, known, incarnation: incarnationOf(metadata, known, { platform, machine }) },
    ...{ wal, log: recoveredLog(recovered, machine), backendName: name, backend, machine },
    // A change of the commit index alone is not synced, so the durable commit index may lag behind
    // the applied one.
    hardState: { ...hardState, commit: Math.max(hardState.commit, machine.appliedIndex) },
    ...(quarantine === undefined
      ? { isUnproven, durable }
      : { quarantine, aside: slot, closing: start.closing }),
  };
}

/** Earlier builds stored any term that a stranger sent to the peer port. @throws StartError */
function refuseLastTerm(term: number, close: () => void): void {
  if (term <= termMax) return;
  close();
  throw new StartError(
    `the log is in term ${term}, which no election leads to: somebody who is no member sent it to the peer port of an older build. No later term can follow. If more than half of the members start, remove this one from the cluster and add it anew with an empty data directory; if none does, start from copies of the data directories that were made before`,
  );
}

/**
 * The log of an older build has no incarnation. Its member keeps one beside the log from now on.
 */
function incarnationOf(
  { incarnation, memberId }: LogIdentity,
  known: KnownIncarnations,
  from: { readonly platform: Platform; readonly machine: Machine },
): bigint {
  if (incarnation !== 0n) return incarnation;
  const kept = known.get(memberId);
  if (kept !== undefined) return kept;
  const named = from.machine.cluster.member(memberId)?.incarnation;
  const own = named ?? drawIncarnation(from.platform.rng);
  known.set(memberId, own);
  return own;
}

class Restart {
  readonly #world: {
    readonly platform: Platform;
    readonly config: MemberConfig;
    readonly recovered: Recovered;
  };
  readonly #slot: string;
  /** Backends that were opened, turned out unusable, and are not closed yet. */
  readonly closing = new Set<string>();
  quarantine: Quarantine | undefined;
  isUnproven = false;
  durable: SnapshotMeta | undefined;

  constructor(
    world: {
      readonly platform: Platform;
      readonly config: MemberConfig;
      readonly recovered: Recovered;
    },
    slot: string,
  ) {
    this.#world = world;
    this.#slot = slot;
  }

  /** @throws DamageError */
  *open(work: Work): Generator<undefined, OpenedState> {
    const { platform } = this.#world;
    this.quarantine = readQuarantine(platform.disk);
    let backend: Backend | undefined;
    let damage: DamageError | undefined;
    try {
      backend = platform.backends.open(this.#slot);
      if (this.quarantine === undefined) return yield* this.#openSound(backend, work);
    } catch (error) {
      if (!(error instanceof DamageError) || error instanceof LostLogError) throw error;
      damage = error;
    }
    return this.#openStandIn(backend, damage);
  }

  /** Opens the backend in use, or a fetched one if a crash interrupted the change to it. */
  *#openSound(backend: Backend, work: Work): Generator<undefined, OpenedState> {
    const { platform, recovered } = this.#world;
    const { sha256 } = platform.hash;
    const machine = yield* openMachine(backend, sha256, work);
    const marker = recovered.snapshot?.index ?? 0;
    if (machine.appliedIndex >= marker) {
      const log = recoveredLog(recovered, machine);
      const isSmall = backend.sizes().inUse <= fullScanBytesMax;
      const noted = checkpointNotesOf(recovered.notes, this.#slot);
      const { appliedIndex: index, appliedTerm: term, confState } = machine;
      const damage =
        (isSmall ? yield* proveRows(backend, { machine, sha256 }, work) : undefined) ??
        proveLog(log, machine, noted) ??
        checkAgainstNotes(log, machine, {
          notes: noted,
          selfId: recovered.metadata.memberId,
        });
      if (damage !== undefined) throw damage;
      this.isUnproven = !isSmall;
      this.durable = { index, term, confState };
      return { name: this.#slot, backend, machine };
    }
    for (const name of platform.backends.list()) {
      if (name === this.#slot || !name.startsWith(fetchedPrefix(marker))) continue;
      // A crash may also leave an unfinished transfer of this snapshot, so the content is proven.
      const next = platform.backends.open(name);
      const proven = yield* verifyState(next, sha256, work);
      if (proven instanceof Error || proven.appliedIndex !== marker) {
        this.#discard(name, next);
        continue;
      }
      writeSlot(platform.disk, name);
      this.#discard(this.#slot, backend);
      return { name, backend: next, machine: proven };
    }
    throw new DamageError({
      finding: `the log begins after index ${marker}, but the backend "${this.#slot}" ends at ${machine.appliedIndex} and no fetched snapshot goes that far: state was lost`,
      advice: rebuildAdvice,
    });
  }

  /** Opens a stand-in. A lone member cannot heal, so it does not start. @throws DamageError */
  #openStandIn(backend: Backend | undefined, damage: DamageError | undefined): OpenedState {
    const { platform } = this.#world;
    const at = recoverCluster(this.#world, backend);
    if (backend !== undefined) {
      this.closing.add(this.#slot);
      backend.close(() => this.closing.delete(this.#slot));
    }
    const voters = at.cluster.members().filter(({ isLearner }) => !isLearner);
    if (voters.length <= 1 && damage !== undefined) throw damage;
    if (damage !== undefined) {
      this.quarantine = {
        ...{ reason: damage.found(), index: at.index, sinceMs: platform.clock.unixMs() },
        ...{ failures: 0, backend: this.#slot, evidence: [] },
      };
      writeQuarantine(platform.disk, this.quarantine);
    }
    return openStandIn({ ...platform, sha256: platform.hash.sha256, number: 0 }, at);
  }

  #discard(name: string, backend: Backend): void {
    const { backends } = this.#world.platform;
    this.closing.add(name);
    backend.close(() => {
      this.closing.delete(name);
      backends.remove(name);
    });
  }
}

/** This damage is not healed: a member that lost log may have forgotten what it acknowledged. */
class LostLogError extends DamageError {}

/** @throws LostLogError */
function recoveredLog(recovered: Recovered, machine: Machine): MemoryLogStorage {
  const log = new MemoryLogStorage();
  const { entries, snapshot } = recovered;
  if (snapshot !== undefined) log.restore({ ...snapshot, confState: machine.confState });
  log.append(entries);
  if (log.lastIndex() < machine.appliedIndex) {
    throw new LostLogError({
      finding: `the backend holds state up to index ${machine.appliedIndex}, but the write-ahead log ends at ${log.lastIndex()}: log was lost`,
      advice: rebuildAdvice,
    });
  }
  return log;
}
