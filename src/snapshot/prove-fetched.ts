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
import { DigestScan, digestedBuckets } from "../state/digest.js";
import { createMachine } from "../state/machine.js";

const rowsPerPiece = 1_000;

/** Calls `done` once, possibly inside the call; not at all once `isStopped` is true. */
export function proveFetched(
  fetched: { readonly backend: Backend; readonly root: Uint8Array },
  parts: { readonly clock: Clock; readonly sha256: Sha256; isStopped(): boolean },
  done: (result: Machine | Error) => void,
): void {
  const { backend, root } = fetched;
  const scan = new DigestScan(backend, parts.sha256);
  const piece = (): void => {
    if (parts.isStopped()) return;
    let result: Machine | Error;
    try {
      if (!scan.step(rowsPerPiece)) {
        parts.clock.defer(piece);
        return;
      }
      const machine = createMachine(backend, parts.sha256);
      const stored = machine.digests();
      const wrong = digestedBuckets.find((bucket) => {
        const claimed = stored.buckets.get(bucket);
        return claimed === undefined || !equalBytes(claimed, scan.digests.digest(bucket));
      });
      if (wrong !== undefined) {
        result = new DamageError({
          finding: `the rows of bucket "${bucketNames[wrong]}" do not match their digest`,
        });
      } else if (equalBytes(stored.root, root)) result = machine;
      else result = new Error("the snapshot is not the one promised");
    } catch (error) {
      result = error as Error;
    }
    done(result);
  };
  piece();
}
