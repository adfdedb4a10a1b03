/**
 * Checks a member's durable state against its own digests: reads all rows, verifies each check
 * value, and compares the sums with the digests stored beside them. Works in pieces, so that
 * heartbeats and clients go on.
 */
import { equalBytes } from "../base/bytes.js";
import { DamageError } from "../base/errors.js";
import type { BackendReader } from "../platform/backend.js";
import type { Clock } from "../platform/clock.js";
import type { Sha256 } from "../platform/hash.js";
import { DigestScan, DigestSet, digestedBuckets } from "../state/digest.js";
import { readMeta } from "../state/meta.js";
import type { Committer } from "../storage/committer.js";
import type { StateStore } from "../storage/state-store.js";

/** A row may have a mebibyte or more. */
const rowsPerPiece = 100;

/**
 * Calls `done` once, later. Never calls it when the member stops. Begins again if the state is
 * replaced.
 */
export function checkSelf(
  parts: {
    readonly clock: Clock;
    readonly sha256: Sha256;
    readonly committer: Pick<Committer, "flush">;
    readonly state: Pick<StateStore, "backend" | "machine" | "view">;
    /** The backend is closed or about to close. */
    isStopped(): boolean;
    /** The check itself failed, which is a bug. */
    failed(error: Error): void;
  },
  done: (isSound: boolean) => void,
): void {
  const { clock, sha256, committer, state } = parts;
  committer.flush(() => {
    if (parts.isStopped()) return;
    const backend = state.backend();
    const view = state.view();
    const scan = new DigestScan(view, sha256);
    const end = (isSound: boolean): void => {
      view.close();
      done(isSound);
    };
    const piece = (): void => {
      if (parts.isStopped()) {
        view.close();
        return;
      }
      if (state.backend() !== backend) {
        view.close();
        checkSelf(parts, done);
        return;
      }
      try {
        if (!scan.step(rowsPerPiece)) clock.defer(piece);
        else end(isStored(view, scan.digests, sha256));
      } catch (error) {
        if (error instanceof DamageError) end(false);
        else {
          view.close();
          parts.failed(error as Error);
        }
      }
    };
    clock.defer(piece);
  });
}

/** @throws DamageError */
function isStored(view: BackendReader, scanned: DigestSet, sha256: Sha256): boolean {
  const stored = new DigestSet(sha256);
  if (readMeta(view, stored) === undefined) return false;
  return digestedBuckets.every((bucket) =>
    equalBytes(stored.digest(bucket), scanned.digest(bucket)),
  );
}
