/**
 * The rows of a backend, by bucket. Bucket names and numbers are on the disk, so they never change.
 */
export const Bucket = {
  meta: 0,
  key: 1,
  lease: 2,
  alarm: 3,
  members: 4,
  membersRemoved: 5,
  cluster: 6,
  auth: 7,
  authUsers: 8,
  authRoles: 9,
} as const;
export type Bucket = (typeof Bucket)[keyof typeof Bucket];
export const bucketNames: readonly string[] = [
  "meta",
  "key",
  "lease",
  "alarm",
  "members",
  "members_removed",
  "cluster",
  "auth",
  "authUsers",
  "authRoles",
];

/**
 * One row to write. `value` undefined deletes the row. Keys are 1..511 bytes. Do not reuse the
 * arrays: they are kept.
 */
export interface RowWrite {
  readonly bucket: Bucket;
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
}
