/** Checks whether the rows of a backend give the digests that are stored in it. */
import { equalBytes } from "../base/bytes.js";
import { DamageError } from "../base/errors.js";
import type { Backend } from "../platform/backend.js";
import type { Sha256 } from "../platform/hash.js";
import { bucketNames } from "../platform/rows.js";
import type { Machine } from "../state/apply.js";
import { scanDigestsInSlices } from "../state/digest.js";
import { openMachine } from "../state/machine.js";
import type { Work } from "../state/work.js";

/**
 * Opens a backend and recomputes its digests, with pauses. An error if they differ from the stored
 * ones.
 */
export function* verifyState(
  backend: Backend,
  sha256: Sha256,
  work: Work,
): Generator<undefined, Machine | Error> {
  try {
    const machine = yield* openMachine(backend, sha256, work);
    return (yield* proveRows(backend, { machine, sha256 }, work)) ?? machine;
  } catch (error) {
    return error as Error;
  }
}

/** Recomputes the digests from the rows, with pauses. Undefined: they equal the stored ones. */
export function* proveRows(
  backend: Backend,
  { machine, sha256 }: { readonly machine: Machine; readonly sha256: Sha256 },
  work: Work,
): Generator<undefined, DamageError | undefined> {
  try {
    const stored = machine.digests();
    for (const [bucket, digest] of yield* scanDigestsInSlices(backend, sha256, work)) {
      const claimed = stored.buckets.get(bucket);
      if (claimed === undefined || !equalBytes(claimed, digest)) {
        return new DamageError({
          finding: `the rows of bucket "${bucketNames[bucket]}" do not match their digest: rows were lost, added or changed`,
        });
      }
    }
  } catch (error) {
    if (error instanceof DamageError) return error;
    throw error;
  }
  return undefined;
}
