/** Checks whether the rows of a backend give the digests that are stored in it. */
import { equalBytes } from "../base/bytes.js";
import { DamageError } from "../base/errors.js";
import type { Backend } from "../platform/backend.js";
import type { Sha256 } from "../platform/hash.js";
import { bucketNames } from "../platform/rows.js";
import type { Machine } from "../state/apply.js";
import { scanDigests } from "../state/digest.js";
import { createMachine } from "../state/machine.js";

/** Opens a backend and recomputes its digests. An error if they differ from the stored ones. */
export function verifyState(backend: Backend, sha256: Sha256): Machine | Error {
  try {
    const machine = createMachine(backend, sha256);
    return proveRows(backend, machine, sha256) ?? machine;
  } catch (error) {
    return error as Error;
  }
}

/** Recomputes the digests from the rows. Undefined: they equal the stored ones. */
export function proveRows(
  backend: Backend,
  machine: Machine,
  sha256: Sha256,
): DamageError | undefined {
  try {
    const stored = machine.digests();
    for (const [bucket, digest] of scanDigests(backend, sha256)) {
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
