/** All mutants, in the order of their ids: M01-M62, and the further ones of this project. */

import { foundMutants } from "./found.js";
import { authMutants } from "./mutants/auth.js";
import { consistentIndexMutants } from "./mutants/consistent-index.js";
import { electionMutants } from "./mutants/election.js";
import { integrityMutants } from "./mutants/integrity.js";
import { largeEntryMutants } from "./mutants/large-entries.js";
import { leaseMutants } from "./mutants/lease.js";
import { membershipMutants } from "./mutants/membership.js";
import { mvccMutants } from "./mutants/mvcc.js";
import { peerMutants } from "./mutants/peers.js";
import { readMutants } from "./mutants/reads.js";
import { replicationMutants } from "./mutants/replication.js";
import { storageMutants } from "./mutants/storage.js";
import { versionMutants } from "./mutants/versions.js";
import { walMutants } from "./mutants/wal.js";
import { watchMutants } from "./mutants/watch.js";
import type { Mutant } from "./types.js";

/** All mutants, by id. */
export const mutants: readonly Mutant[] = sortById([
  ...consistentIndexMutants,
  ...electionMutants,
  ...replicationMutants,
  ...membershipMutants,
  ...walMutants,
  ...readMutants,
  ...mvccMutants,
  ...leaseMutants,
  ...watchMutants,
  ...storageMutants,
  ...versionMutants,
  ...integrityMutants,
  ...foundMutants,
  ...peerMutants,
  ...largeEntryMutants,
  ...authMutants,
]);

/** @throws Error if two have the same id */
export function sortById(list: readonly Mutant[]): readonly Mutant[] {
  const sorted = [...list].sort((a, b) => compareIds(a.id, b.id));
  const twice = sorted.find(({ id }, at) => id === sorted[at + 1]?.id);
  if (twice !== undefined) throw new Error(`two mutants are called ${twice.id}`);
  return sorted;
}

/** M first, since those are the catalogue's; then letters, and numbers as numbers. */
function compareIds(a: string, b: string): number {
  if (a[0] !== b[0]) return rank(a) < rank(b) ? -1 : 1;
  return Number(a.slice(1)) - Number(b.slice(1));
}

function rank(id: string): string {
  return id.startsWith("M") ? "" : id;
}
