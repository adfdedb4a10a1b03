/** What decides about durability, wired to a member's engine. */

import { encodeCheckpointNote } from "../integrity/startup/checkpoint-note.js";
import type { Platform } from "../platform/platform.js";
import { Committer } from "../storage/committer.js";
import type { MemberConfig } from "./config.js";
import type { Engine } from "./engine.js";
import type { Booted } from "./startup/boot.js";

export function createCommitter(
  engine: Engine,
  booted: Booted,
  world: { readonly platform: Platform; readonly config: MemberConfig },
): Committer {
  const { state } = engine;
  const { platform, config } = world;
  const isQuarantined = (): boolean => engine.monitor.quarantine() !== undefined;
  let noted = "";
  // Of a stand-in there is nothing to remember.
  const checkpointNote = (): Uint8Array | undefined => {
    if (state.isStandIn()) return undefined;
    const fingerprint = state.machine().fingerprint();
    const name = state.name();
    // A member that is asked for snapshots and hashes all day must not fill its log with one note.
    if (noted === `${name} ${fingerprint.index}`) return undefined;
    noted = `${name} ${fingerprint.index}`;
    return encodeCheckpointNote(fingerprint, name);
  };
  const committer = new Committer({
    clock: platform.clock,
    log: booted.log,
    wal: booted.wal,
    backend: () => state.backend(),
    appliedMeta: () => state.meta(),
    proof: () => state.proof(),
    checkpointNote,
    sentIndex: () => engine.transfer.source.sentIndex(),
    // Who lags is needed to tell who is right, and may only be given log until then.
    isLogHeld: () => isQuarantined() || engine.monitor.isInDoubt(),
    batchMs: config.backendBatchMs,
    batchLimit: config.backendBatchLimit,
    snapshotCount: config.snapshotCount,
    catchupEntries: config.snapshotCatchupEntries,
    failed: (error) => engine.fail(error),
  });
  if (booted.durable !== undefined) {
    const ahead = booted.machine.appliedIndex - booted.durable.index;
    committer.replaced(booted.durable);
    if (ahead > 0) platform.clock.defer(() => committer.applied(ahead));
  }
  return committer;
}
