/**
 * Compares the backend with what the log noted about it. Before a state becomes durable in the
 * backend, the member writes a checkpoint note into the log: the state's fingerprint and the
 * backend's name. At the next start, the backend must reproduce that fingerprint after the later
 * entries are replayed. A backend that was swapped, edited or restored does not, even if its own
 * digests fit its rows. If the files of all members were changed in the same way, each member still
 * finds it alone.
 *
 * A power failure can lose the newest notes. This check proves nothing about states after the last
 * note.
 */

import { DamageError, KvError } from "../../base/errors.js";
import { InvariantViolation } from "../../base/invariant.js";
import type { LogStorage } from "../../raft/types.js";
import type { Machine } from "../../state/apply.js";
import { digestVersion } from "../../state/digest.js";
import {
  describeFingerprint,
  differenceOf,
  encodedFingerprintBytes,
  encodeFingerprint,
  type Fingerprint,
  readFingerprint,
} from "../../state/fingerprint.js";

export interface CheckpointNote {
  readonly fingerprint: Fingerprint;
  /**
   * The backend that was about to hold the state. Notes about other backends prove nothing about
   * this one.
   */
  readonly backend: string;
}

/** Layout: a fingerprint (see fingerprint.ts), then the backend's name as UTF-8. */
export function encodeCheckpointNote(fingerprint: Fingerprint, backend: string): Uint8Array {
  const name = new TextEncoder().encode(backend);
  const bytes = new Uint8Array(encodedFingerprintBytes + name.length);
  bytes.set(encodeFingerprint(fingerprint));
  bytes.set(name, encodedFingerprintBytes);
  return bytes;
}

function readCheckpointNote(note: Uint8Array): CheckpointNote | undefined {
  const fingerprint = readFingerprint(note);
  if (fingerprint === undefined) return undefined;
  return { fingerprint, backend: new TextDecoder().decode(note.subarray(encodedFingerprintBytes)) };
}

/** The notes about the backend of this name, oldest first. */
export function checkpointNotesOf(
  notes: readonly Uint8Array[],
  backend: string,
): readonly Fingerprint[] {
  return notes
    .map(readCheckpointNote)
    .filter((checkpointNote) => checkpointNote?.backend === backend)
    .map((checkpointNote) => (checkpointNote as CheckpointNote).fingerprint)
    .filter(({ version }) => version === digestVersion);
}

/**
 * Replays the log from the machine's index to the next index that has a note, and compares there.
 * It returns undefined if the state is equal or no later note exists. It also returns a verdict
 * about `selfId` that it meets on the way, because no other part sees these entries.
 *
 * @throws DamageError when an entry cannot be applied to this state
 */
export function checkAgainstNotes(
  log: LogStorage,
  machine: Machine,
  heard: { readonly notes: readonly Fingerprint[]; readonly selfId: bigint },
): DamageError | undefined {
  const { notes, selfId } = heard;
  const from = machine.appliedIndex;
  const noted = notes.find(({ index }) => index >= from);
  if (noted === undefined) return undefined;
  const entries =
    noted.index === from ? [] : log.entries(from + 1, noted.index + 1, Number.MAX_SAFE_INTEGER);
  if (entries === undefined || entries.length < noted.index - from) return undefined;
  let isContained = false;
  try {
    for (const entry of entries) {
      const { outcome } = machine.apply(entry);
      if (outcome instanceof KvError || outcome.kind !== "verdict") continue;
      if (outcome.memberId === selfId) isContained = outcome.verdict === "contained";
    }
  } catch (error) {
    if (!(error instanceof InvariantViolation)) throw error;
    return new DamageError({
      finding: `the log does not lead on from the state: ${error.message}`,
    });
  }
  if (isContained) return new DamageError({ finding: "the cluster found our state to be wrong" });
  const reached = machine.fingerprint();
  if (differenceOf(reached, noted) === "none") return undefined;
  return new DamageError({
    finding: `the state differs from what this member's log noted of it: it was exchanged, changed with its digests, or holds an entry twice or never (noted: ${describeFingerprint(noted)}; now: ${describeFingerprint(reached)})`,
  });
}
