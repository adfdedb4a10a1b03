/** A request on its way into the log. */

/** Field numbers of InternalRequest.request (proto/internal.proto). */
export const RequestField = {
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
export type RequestField = (typeof RequestField)[keyof typeof RequestField];

export interface Proposal {
  readonly field: RequestField;
  /** The encoded message of that field. */
  readonly body: Uint8Array;
  /** Its cost by etcd's rule against the space quota; 0: none. */
  readonly growthBytes: number;
}
