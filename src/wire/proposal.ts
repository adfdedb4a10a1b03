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
  authEnable: 1000,
  authDisable: 1011,
  authenticate: 1012,
  authUserAdd: 1100,
  authUserDelete: 1101,
  authUserChangePassword: 1103,
  authUserGrantRole: 1104,
  authUserRevokeRole: 1105,
  authRoleAdd: 1200,
  authRoleDelete: 1201,
  authRoleGrantPermission: 1203,
  authRoleRevokePermission: 1204,
  clusterVersionSet: 1300,
  clusterMemberAttrSet: 1301,
  downgradeInfoSet: 1302,
  compactStep: 2000,
  integrityVerdict: 2001,
} as const;
export type RequestField = (typeof RequestField)[keyof typeof RequestField];

/** On whose behalf a request comes: a user and an auth revision. */
export interface Caller {
  /** The user's name. Empty: nobody. */
  readonly username: string;
  /** The auth revision for which the caller's token or certificate was accepted. 0: nobody. */
  readonly authRevision: number;
}

export const nobody: Caller = { username: "", authRevision: 0 };

export interface Proposal {
  readonly field: RequestField;
  /** The encoded message of that field. */
  readonly body: Uint8Array;
  /** Bytes that the request counts against the space quota, by etcd's rule; 0: none. */
  readonly growthBytes: number;
  /** Absent: the request comes from nobody, or auth is off. */
  readonly caller?: Caller | undefined;
}
