/**
 * A member made of a backup: its state from rows of etcd, then the entries of etcd's log behind them,
 * and a log of its own that begins there. Members that are made of the same backup with the same
 * initial cluster have the same state at the same index, so they found a cluster together.
 *
 * The folder holds no member until this is done: the log comes last.
 */
import { toSafe } from "../../base/int64.js";
import type { ImportedRevisions, ImportedRow } from "../../etcd/imported-rows.js";
import { type AppliedEntries, applyLogEntries } from "../../etcd/log-entries.js";
import type { EtcdLogEntry } from "../../etcd/log-files.js";
import type { Backend } from "../../platform/backend.js";
import type { Platform } from "../../platform/platform.js";
import { StateImport } from "../../state/import.js";
import { createMachine } from "../../state/machine.js";
import { writeSlot } from "../../storage/backend-slot.js";
import type { MemberConfig } from "../config.js";
import {
  firstBackend,
  foundingCluster,
  foundingIndex,
  foundingLog,
  foundingTerm,
  foundLog,
} from "./founding.js";

/** Rows or entries between two commits: bounds the memory. */
const commitBytes = 8 * 1024 * 1024;
const commitEntries = 5_000;

export interface Backup {
  readonly rows: Generator<ImportedRow, ImportedRevisions>;
  /** Entries of etcd's log that follow the rows, ascending by index. */
  readonly entries: readonly EtcdLogEntry[];
  /**
   * Added to the last revision; everything up to the sum is compacted then. 0: the revision stays
   * as it is.
   */
  readonly bumpRevision: number;
}

export interface RestoredMember {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly revision: number;
  readonly entries: AppliedEntries;
}

/**
 * Makes the member's files in an empty folder. When the promise ends, all files are closed again.
 * @throws EtcdFileError, BboltError, StartError, the disk's errors
 */
export async function restoreMember(
  platform: Pick<Platform, "disk" | "backends" | "rng" | "hash">,
  config: MemberConfig,
  backup: Backup,
): Promise<RestoredMember> {
  const cluster = foundingCluster(config, platform.hash);
  const { clusterId, members, self } = cluster;
  const backend = platform.backends.open(firstBackend);
  try {
    const rows = new StateImport(backend, platform.hash.sha256);
    const revisions = bumped(await importRows(backend, rows, backup.rows), backup.bumpRevision);
    rows.finish({ ...revisions, index: foundingIndex, term: foundingTerm, clusterId, members });
    await committed(backend);
    const machine = createMachine(backend, platform.hash.sha256);
    let entries: AppliedEntries = { applied: 0, passedOver: 0 };
    for (let at = 0; at < backup.entries.length; at += commitEntries) {
      const some = applyLogEntries(machine, backup.entries.slice(at, at + commitEntries));
      const { applied, passedOver } = entries;
      entries = { applied: applied + some.applied, passedOver: passedOver + some.passedOver };
      await committed(backend);
    }
    writeSlot(platform.disk, firstBackend);
    const start = foundingLog(cluster, machine.appliedIndex, platform.rng);
    foundLog(platform, start, config.walSegmentBytes).close();
    return { memberId: self.id, clusterId, revision: machine.kv.revision(), entries };
  } finally {
    await new Promise<void>((resolve) => backend.close(resolve));
  }
}

async function importRows(
  backend: Backend,
  into: StateImport,
  rows: Backup["rows"],
): Promise<ImportedRevisions> {
  let bytes = 0;
  for (;;) {
    const step = rows.next();
    if (step.done === true) return step.value;
    const { bucket, key, value } = step.value;
    into.add(bucket, key, value);
    bytes += key.length + value.length;
    if (bytes < commitBytes) continue;
    bytes = 0;
    into.flush();
    await committed(backend);
  }
}

/** As etcd, compacts at the new revision: what clients remember of the old ones is refused. */
function bumped(revisions: ImportedRevisions, bump: number): ImportedRevisions {
  if (bump === 0) return revisions;
  const revision = toSafe(BigInt(revisions.revision) + BigInt(bump));
  return { ...revisions, revision, compactRevision: revision };
}

function committed(backend: Backend): Promise<void> {
  return new Promise((resolve, reject) => {
    backend.commit((error) => (error === undefined ? resolve() : reject(error)));
  });
}
