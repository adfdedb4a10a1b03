/**
 * Makes a member's parts from its data directory: for a first start, a join, or a restart. The
 * content of the disk decides which. If no crash can explain that content, the start is refused
 * with advice, and nothing on the disk has changed.
 */
import { DamageError } from "../../base/errors.js";
import type { Backend } from "../../platform/backend.js";
import type { Network } from "../../platform/network.js";
import type { Platform } from "../../platform/platform.js";
import type { Machine } from "../../state/apply.js";
import { createMachine } from "../../state/machine.js";
import { readSlot, writeSlot } from "../../storage/backend-slot.js";
import { runInTurns } from "../../storage/turns.js";
import { MemoryLogStorage } from "../../wal/memory-log-storage.js";
import type { LogIdentity, Wal } from "../../wal/wal.js";
import type { MemberConfig } from "../config.js";
import { drawIncarnation, KnownIncarnations } from "../incarnation/known-incarnations.js";
import { LostDataError } from "../incarnation/lost-data.js";
import { askForSelf, hasTakenPart, refuseSecondBirth } from "./first-questions.js";
import {
  firstBackend,
  foundingCluster,
  foundingIndex,
  foundingLog,
  foundingTerm,
  foundLog,
  type LogStart,
  walDir,
} from "./founding.js";
import { becomeOnlyVoter } from "./only-voter.js";
import { type Restarted, restart } from "./restart.js";
import { versionRefusal } from "./version-check.js";

/**
 * What a member has after its start: its identity, its log, and the state that the log leads to.
 */
export type Booted = Restarted;

/** Calls `done` once, possibly inside the call. Does not throw. */
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
      bootAgain(world, attempt, done);
      return;
    }
    if (config.forcesNewCluster === true) {
      platform.log("warn", "--force-new-cluster: there is no data yet, so nothing to force", {});
    }
    refuseStateWithoutLog(platform, () => firstStart(world, attempt, done));
  } catch (error) {
    done(error as Error);
  }
}

/** The data directory has a log. */
function bootAgain(
  world: { readonly platform: Platform; readonly config: MemberConfig },
  attempt: (work: () => void) => void,
  done: BootDone,
): void {
  const { platform, config } = world;
  runInTurns(
    (work) => restart(world, walDir, work),
    platform,
    (booted) => {
      if (booted instanceof Error || config.forcesNewCluster !== true) done(booted);
      else attempt(() => becomeOnlyVoter(platform, booted, done));
    },
  );
}

/** The data directory is empty: this member founds a cluster with others, or joins one. */
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
        if (hasTakenPart(found.self)) throw new LostDataError(found.self.id, config.name);
        join(platform, config, { clusterId: found.info.clusterId, memberId: found.self.id }, done);
      });
    }
  });
}

/** @throws StartError */
function refuseVersion(config: MemberConfig, clusterVersion: string): void {
  const refusal = versionRefusal(config.serverVersion, clusterVersion);
  if (refusal !== undefined) throw refusal;
}

/** Calls `done` once the backend that it looked at is closed again. @throws DamageError */
function refuseStateWithoutLog(platform: Platform, done: () => void): void {
  const name = readSlot(platform.disk);
  if (name === undefined) {
    done();
    return;
  }
  const backend = platform.backends.open(name);
  const { appliedIndex } = createMachine(backend, platform.hash.sha256);
  // A crash in the middle of a first start leaves the founding state alone.
  if (appliedIndex <= foundingIndex) {
    backend.close(done);
    return;
  }
  backend.close(() => {});
  throw new DamageError({
    finding: `the backend "${name}" holds state up to index ${appliedIndex}, but there is no write-ahead log: it was removed or lies elsewhere`,
    advice: `Put the folder "${walDir}" back, or remove this member from the cluster and add it anew with an empty data directory`,
  });
}

type BootDone = (result: Booted | Error) => void;

function found(platform: Platform, config: MemberConfig, done: BootDone): void {
  const cluster = foundingCluster(config, platform.hash);
  const { clusterId, members } = cluster;
  const backend = freshBackend(platform);
  const machine = createMachine(backend, platform.hash.sha256);
  machine.bootstrap({ clusterId, members, index: foundingIndex, term: foundingTerm });
  const start = foundingLog(cluster, foundingIndex, platform.rng);
  assemble({ platform, config, backend, machine }, start, done);
}

function join(
  platform: Platform,
  config: MemberConfig,
  ids: Pick<LogIdentity, "clusterId" | "memberId">,
  done: BootDone,
): void {
  const identity = { ...ids, incarnation: drawIncarnation(platform.rng), isJoiner: true };
  const backend = freshBackend(platform);
  const machine = createMachine(backend, platform.hash.sha256);
  const hardState = { term: 0, vote: 0n, commit: 0 };
  assemble({ platform, config, backend, machine }, { identity, hardState, meta: undefined }, done);
}

function freshBackend(platform: Platform): Backend {
  // Only an unfinished first start can have left a backend: see refuseStateWithoutLog.
  for (const name of platform.backends.list()) platform.backends.remove(name);
  const backend = platform.backends.open(firstBackend);
  writeSlot(platform.disk, firstBackend);
  return backend;
}

/** Creates the log last, after the state is durable. So if a log exists, all else is complete. */
function assemble(
  parts: {
    readonly platform: Platform;
    readonly config: MemberConfig;
    readonly backend: Backend;
    readonly machine: Machine;
  },
  start: LogStart,
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
      wal = foundLog(platform, start, config.walSegmentBytes);
    } catch (cause) {
      done(cause as Error);
      return;
    }
    const log = new MemoryLogStorage();
    if (start.meta !== undefined) log.restore(start.meta);
    const { identity, hardState } = start;
    const known = new KnownIncarnations(platform.disk);
    done({ ...identity, known, wal, log, hardState, backendName: firstBackend, backend, machine });
  });
}
