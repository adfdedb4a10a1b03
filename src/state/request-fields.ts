/** How requests in the log are identified and decoded. */
import { InvariantViolation } from "../base/invariant.js";

/** Field numbers of proto/internal.proto. They are etcd's where etcd has the request, too. */
export const Field = {
  put: 4,
  deleteRange: 5,
  txn: 6,
  compaction: 7,
  leaseGrant: 8,
  leaseRevoke: 9,
  alarm: 10,
  leaseCheckpoint: 11,
  clusterVersionSet: 1300,
  clusterMemberAttrSet: 1301,
  downgradeInfoSet: 1302,
  compactStep: 2000,
  integrityVerdict: 2001,
} as const;

/** @throws InvariantViolation if a committed entry cannot be read: it must not be skipped */
export function decode<T>(message: { decode(bytes: Uint8Array): T }, bytes: Uint8Array): T {
  try {
    return message.decode(bytes);
  } catch (error) {
    throw new InvariantViolation("a committed entry cannot be decoded", { error });
  }
}
