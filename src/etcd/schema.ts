/**
 * Names in etcd's backend file (server/storage/schema of etcd 3.6): its buckets, and the keys of
 * bucket meta.
 */

/** The names of all buckets, sorted, as they stand in the file. */
export const bucketOrder = [
  "alarm",
  "auth",
  "authRoles",
  "authUsers",
  "cluster",
  "key",
  "lease",
  "members",
  "members_removed",
  "meta",
] as const;
export type EtcdBucket = (typeof bucketOrder)[number];

export const MetaKey = {
  confState: "confState",
  consistentIndex: "consistent_index",
  finishedCompact: "finishedCompactRev",
  scheduledCompact: "scheduledCompactRev",
  storageVersion: "storageVersion",
  term: "term",
} as const;

export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function u64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value);
  return bytes;
}

export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
