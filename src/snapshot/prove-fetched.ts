/**
 * Proves a fetched state: its rows must give the digests stored beside them, and these the promised
 * root. It works in pieces, so that the member still answers heartbeats and takes log meanwhile. A
 * large state takes seconds: a member that is silent that long falls behind and would have to fetch
 * another one.
 */
import { equalBytes } from "../base/bytes.js";
import { DamageError } from "../base/errors.js";
import type { Backend } from "../platform/backend.js";
import type { Clock } from "../platform/clock.js";
import type { Sha256 } from "../platform/hash.js";
import { bucketNames } from "../platform/rows.js";
import type { Machine } from "../state/apply.js";
import { DigestScan, type DigestSet, digestedBuckets } from "../state/digest.js";
import { openMachine } from "../state/machine.js";
import { runInTurns } from "../storage/turns.js";

const rowsPerPiece = 500;

/** Calls `done` once, possibly inside the call; not at all once `isStopped` is true. */
export function proveFetched(
  fetched: { readonly backend: Backend; readonly root: Uint8Array },
  parts: { readonly clock: Clock; readonly sha256: Sha256; isStopped(): boolean },
  done: (result: Machine | Error) => void,
): void {
  const { backend, root } = fetched;
  const { clock, sha256 } = parts;
  const scan = new DigestScan(backend, sha256);
  const open = (): void =>
    runInTurns(
      (work) => openMachine(backend, sha256, work),
      parts,
      (machine) => {
        done(
          machine instanceof Error ? machine : (refusal(machine, scan.digests, root) ?? machine),
        );
      },
    );
  const piece = (): void => {
    if (parts.isStopped()) return;
    try {
      if (!scan.step(rowsPerPiece)) {
        clock.defer(piece);
        return;
      }
    } catch (error) {
      done(error as Error);
      return;
    }
    open();
  };
  piece();
}

/** `scanned`: the digests of the rows. */
function refusal(machine: Machine, scanned: DigestSet, root: Uint8Array): Error | undefined {
  const stored = machine.digests();
  const wrong = digestedBuckets.find((bucket) => {
    const claimed = stored.buckets.get(bucket);
    return claimed === undefined || !equalBytes(claimed, scanned.digest(bucket));
  });
  if (wrong !== undefined) {
    return new DamageError({
      finding: `the rows of bucket "${bucketNames[wrong]}" do not match their digest`,
    });
  }
  return equalBytes(stored.root, root)
    ? undefined
    : new Error("the snapshot is not the one promised");
}
