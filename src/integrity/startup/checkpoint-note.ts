/**
 * The log as a checkpointNote against the backend. Before a state becomes durable in the backend, the log
 * notes its fingerprint and the backend's name. When the member starts again, the backend, with the
 * entries behind it applied, must come to the same: one that was swapped, edited or restored together
 * with its own digests does not, however well it fits itself. Two files of one member would have to be
 * forged alike, so members that were all changed in the same way find it out each by itself.
 *
 * A power failure may take the newest notes with it. What no note covers stays unproven here.
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
  /** The backend that was about to hold it: notes about another one say nothing of this one. */
  readonly backend: string;
}

/** A fingerprint (see fingerprint.ts), then the backend's name. */
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

/** Those that can be compared with the backend of this name, oldest first. */
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
 * Goes on from the machine's index to the next one that the log has a note of, by applying its
 * entries, and compares there. Undefined: equal, or nothing was noted behind the machine's index. A
 * verdict about `selfId` on the way counts, too: nobody else hears of these entries.
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
