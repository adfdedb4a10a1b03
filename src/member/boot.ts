/**
 * From a data directory to a member's parts: a first start, a join, or a restart. What is on disk
 * decides; anything that a crash of ours cannot explain is refused with what to do about it, and
 * nothing is changed before that.
 *
 * A restart takes the backend first (applied index i), then the log from i + 1. The log is always
 * durable before it is applied, so a backend ahead of the log means that log was lost.
 */
import { DamageError, StartError } from "../base/errors.js";
import type { Backend } from "../platform/backend.js";
import type { ClusterInfo, Network } from "../platform/network.js";
import type { Platform } from "../platform/platform.js";
import type { HardState, SnapshotMeta } from "../raft/types.js";
import { clusterId as computeClusterId, memberId } from "../state/cluster/ids.js";
import { createMachine } from "../state/machine.js";
import type { Machine, MemberRecord } from "../state/types.js";
import { RaftLog } from "../wal/raft-log.js";
import { createWal, openWal, type Recovered, type Wal } from "../wal/wal.js";
import { readSlot, writeSlot } from "./backend-slot.js";
import type { MemberConfig } from "./config.js";
import { fetchedPrefix } from "./snapshot-sink.js";
import { verifyState } from "./state-store.js";
import { versionRefusal } from "./version-check.js";

export interface Booted {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly wal: Wal;
  readonly log: RaftLog;
  readonly hardState: HardState;
  readonly backendName: string;
  readonly backend: Backend;
  readonly machine: Machine;
}

const walDir = "wal";
const firstBackend = "state-0";
/** The founding state stands for the first log entry of term 1. */
const foundingIndex = 1;
const foundingTerm = 1;

interface Identity {
  readonly clusterId: bigint;
  readonly memberId: bigint;
}

/** Calls `done` once, possibly inside the call. Throws nothing. */
export function bootMember(
  world: { readonly platform: Platform; readonly network: Network; readonly config: MemberConfig },
  done: (result: Booted | Error) => void,
): void {
  const { platform, config } = world;
  const attempt = (work: () => void): void => {
    try {
      work();
    } catch (error) {
      done(error as Error);
    }
  };
  try {
    refuseVersion(config, "");
    platform.disk.lock();
    if (platform.disk.list(walDir).some((name) => name.endsWith(".wal"))) {
      attempt(() => done(restart(platform, config)));
      return;
    }
    refuseStateWithoutLog(platform, () => firstStart(world, attempt, done));
  } catch (error) {
    done(error as Error);
  }
}

/** Nothing is here yet: this member founds a cluster with others, or joins one. */
function firstStart(
  world: { readonly platform: Platform; readonly network: Network; readonly config: MemberConfig },
  attempt: (work: () => void) => void,
  done: (result: Booted | Error) => void,
): void {
  const { platform, network, config } = world;
  const others = config.initialCluster.filter((member) => member.name !== config.name);
  if (config.initialClusterState === "new") {
    refuseSecondBirth(
      others.flatMap((member) => member.peerUrls),
      world,
      (refusal) => {
        if (refusal === undefined) attempt(() => found(platform, config, done));
        else done(refusal);
      },
    );
    return;
  }
  askForSelf({ network, config }, others, (found) => {
    if (found instanceof Error) done(found);
    else {
      attempt(() => {
        refuseVersion(config, found.info.clusterVersion);
        join(platform, config, { clusterId: found.info.clusterId, memberId: found.id }, done);
      });
    }
  });
}

/**
 * Who we are, from a member that knows of our addition. Some may lag, and if the others need us for
 * their quorum those will never learn of it: each is asked until one knows.
 */
function askForSelf(
  world: { readonly network: Network; readonly config: MemberConfig },
  others: MemberConfig["initialCluster"],
  done: (found: { readonly info: ClusterInfo; readonly id: bigint } | StartError) => void,
): void {
  const { network, config } = world;
  const urls = config.advertisePeerUrls;
  let problem = "no other member is named";
  const ask = (place: number): void => {
    const other = others[place];
    if (other === undefined) {
      done(new StartError(problem));
      return;
    }
    network.fetchCluster(other.peerUrls, (info) => {
      const self =
        info instanceof Error
          ? undefined
          : info.members.find((member) => member.peerUrls.some((url) => urls.includes(url)));
      if (!(info instanceof Error) && self !== undefined) {
        done({ info, id: self.id });
        return;
      }
      // An answer that does not name us says more than none.
      if (!(info instanceof Error)) {
        problem = `no member of the cluster has the peer URLs ${urls.join(",")}: add it first (member add ${config.name} --peer-urls=...)`;
      } else if (place === 0) {
        problem = `cannot learn the cluster's members from its peers (${info.message}); check --initial-cluster and that the members run`;
      }
      ask(place + 1);
    });
  };
  ask(0);
}

/**
 * A founding member that has lost its data would forget its votes and what it acknowledged. The
 * others know whether it ever started; if none answers, it is the first to start.
 */
function refuseSecondBirth(
  peerUrls: readonly string[],
  world: { readonly network: Network; readonly config: MemberConfig },
  done: (refusal: StartError | undefined) => void,
): void {
  if (peerUrls.length === 0) {
    done(undefined);
    return;
  }
  world.network.fetchCluster(peerUrls, (info) => {
    const urls = world.config.advertisePeerUrls;
    const self =
      info instanceof Error
        ? undefined
        : info.members.find((member) => member.peerUrls.some((url) => urls.includes(url)));
    if (self === undefined || self.name === "") {
      done(undefined);
      return;
    }
    done(
      new StartError(
        `member ${self.id.toString(16)} has already been bootstrapped: its data directory is gone. Remove it from the cluster, add it anew and start it with --initial-cluster-state existing`,
      ),
    );
  });
}

/** @throws StartError */
function refuseVersion(config: MemberConfig, clusterVersion: string): void {
  const refusal = versionRefusal(config.serverVersion, clusterVersion);
  if (refusal !== undefined) throw refusal;
}

/** Calls `done` when the backend that had to be looked at is closed again. @throws DamageError */
function refuseStateWithoutLog(platform: Platform, done: () => void): void {
  const name = readSlot(platform.disk);
  if (name === undefined) {
    done();
    return;
  }
  const backend = platform.backends.open(name);
  const { appliedIndex } = createMachine(backend, platform.hash.sha256);
  // The founding state alone is what a crash in the middle of a first start leaves.
  if (appliedIndex <= foundingIndex) {
    backend.close(done);
    return;
  }
  backend.close(() => {});
  throw new DamageError(
    `the backend "${name}" holds state up to index ${appliedIndex}, but there is no write-ahead log: it was removed or lies elsewhere. Put the folder "${walDir}" back, or remove this member from the cluster and add it anew with an empty data directory`,
  );
}

type BootDone = (result: Booted | Error) => void;

function found(platform: Platform, config: MemberConfig, done: BootDone): void {
  const { sha1 } = platform.hash;
  const members: MemberRecord[] = config.initialCluster.map((member) => ({
    id: memberId(
      { peerUrls: member.peerUrls, token: config.initialClusterToken, unixSeconds: undefined },
      sha1,
    ),
    name: "",
    peerUrls: member.peerUrls,
    clientUrls: [],
    isLearner: false,
  }));
  const place = config.initialCluster.findIndex((member) => member.name === config.name);
  const self = members[place];
  if (self === undefined) {
    throw new StartError(
      `couldn't find local name "${config.name}" in the initial cluster configuration`,
    );
  }
  const voters = members.map((member) => member.id).sort((a, b) => (a < b ? -1 : 1));
  const clusterId = computeClusterId(voters, sha1);
  const confState = {
    voters,
    learners: [],
    votersOutgoing: [],
    learnersNext: [],
    autoLeave: false,
  };
  const backend = freshBackend(platform);
  const machine = createMachine(backend, platform.hash.sha256);
  machine.bootstrap({ clusterId, confState, members, index: foundingIndex, term: foundingTerm });
  const start = {
    identity: { clusterId, memberId: self.id },
    hardState: { term: foundingTerm, vote: 0n, commit: foundingIndex },
    meta: { index: foundingIndex, term: foundingTerm, confState },
  };
  assemble({ platform, config, backend, machine }, start, done);
}

function join(platform: Platform, config: MemberConfig, identity: Identity, done: BootDone): void {
  const backend = freshBackend(platform);
  const machine = createMachine(backend, platform.hash.sha256);
  const hardState = { term: 0, vote: 0n, commit: 0 };
  assemble({ platform, config, backend, machine }, { identity, hardState, meta: undefined }, done);
}

function freshBackend(platform: Platform): Backend {
  // Only an unfinished first start can have left one: see refuseStateWithoutLog.
  for (const name of platform.backends.list()) platform.backends.remove(name);
  const backend = platform.backends.open(firstBackend);
  writeSlot(platform.disk, firstBackend);
  return backend;
}

/** The log is created last, above a durable state: its existence says that the rest is complete. */
function assemble(
  parts: {
    readonly platform: Platform;
    readonly config: MemberConfig;
    readonly backend: Backend;
    readonly machine: Machine;
  },
  start: {
    readonly identity: Identity;
    readonly hardState: HardState;
    readonly meta: SnapshotMeta | undefined;
  },
  done: BootDone,
): void {
  const { platform, config, backend, machine } = parts;
  backend.commit((error) => {
    if (error !== undefined) {
      done(error);
      return;
    }
    let wal: Wal;
    try {
      const options = { dir: walDir, segmentBytes: config.walSegmentBytes };
      const founding = {
        metadata: start.identity,
        salt: platform.rng.fork("wal").int(2 ** 32),
        hardState: start.hardState,
        marker: start.meta,
      };
      wal = createWal(platform.disk, founding, options);
    } catch (cause) {
      done(cause as Error);
      return;
    }
    const log = new RaftLog();
    if (start.meta !== undefined) log.restore(start.meta);
    const { identity, hardState } = start;
    done({ ...identity, wal, log, hardState, backendName: firstBackend, backend, machine });
  });
}

function restart(platform: Platform, config: MemberConfig): Booted {
  const { wal, recovered } = openWal(platform.disk, {
    dir: walDir,
    segmentBytes: config.walSegmentBytes,
  });
  const slot = readSlot(platform.disk);
  if (slot === undefined) {
    throw new DamageError(
      `there is a write-ahead log, but no backend is named in "backend.current": part of the data directory is missing. Put it back, or remove this member from the cluster and add it anew with an empty data directory`,
    );
  }
  const opened = openState(platform, slot, recovered);
  const clusterVersion = opened.machine.cluster.clusterVersion();
  const refusal = versionRefusal(config.serverVersion, clusterVersion);
  if (refusal !== undefined) {
    opened.backend.close(() => {});
    throw refusal;
  }
  for (const name of platform.backends.list()) {
    if (name !== opened.name && !opened.closing.has(name)) platform.backends.remove(name);
  }
  const { machine } = opened;
  const log = recoveredLog(recovered, machine);
  const { hardState } = recovered;
  return {
    ...recovered.metadata,
    wal,
    log,
    // A commit-only change is not synced, so the durable commit index may lag what was applied.
    hardState: { ...hardState, commit: Math.max(hardState.commit, machine.appliedIndex) },
    backendName: opened.name,
    backend: opened.backend,
    machine,
  };
}

interface OpenedState {
  readonly name: string;
  readonly backend: Backend;
  readonly machine: Machine;
  /** Backends that were opened in vain; each removes itself when it is closed. */
  readonly closing: ReadonlySet<string>;
}

/** The backend in use, or the fetched one whose taking over a crash interrupted. */
function openState(platform: Platform, slot: string, recovered: Recovered): OpenedState {
  const closing = new Set<string>();
  const discard = (name: string, backend: Backend): void => {
    closing.add(name);
    backend.close(() => platform.backends.remove(name));
  };
  const backend = platform.backends.open(slot);
  const machine = createMachine(backend, platform.hash.sha256);
  const marker = recovered.snapshot?.index ?? 0;
  if (machine.appliedIndex >= marker) return { name: slot, backend, machine, closing };
  for (const name of platform.backends.list()) {
    if (name === slot || !name.startsWith(fetchedPrefix(marker))) continue;
    // A crash may also have left an unfinished transfer of the same snapshot: prove it.
    const next = platform.backends.open(name);
    const proven = verifyState(next, platform.hash.sha256);
    if (proven instanceof Error || proven.appliedIndex !== marker) {
      discard(name, next);
      continue;
    }
    writeSlot(platform.disk, name);
    discard(slot, backend);
    return { name, backend: next, machine: proven, closing };
  }
  backend.close(() => {});
  throw new DamageError(
    `the log begins after index ${marker}, but the backend "${slot}" ends at ${machine.appliedIndex} and no fetched snapshot goes that far: state was lost. Remove this member from the cluster and add it anew with an empty data directory`,
  );
}

function recoveredLog(recovered: Recovered, machine: Machine): RaftLog {
  const log = new RaftLog();
  const { entries, snapshot } = recovered;
  if (snapshot !== undefined) log.restore({ ...snapshot, confState: machine.confState });
  log.append(entries);
  if (log.lastIndex() < machine.appliedIndex) {
    throw new DamageError(
      `the backend holds state up to index ${machine.appliedIndex}, but the write-ahead log ends at ${log.lastIndex()}: log was lost. Remove this member from the cluster and add it anew with an empty data directory`,
    );
  }
  return log;
}
