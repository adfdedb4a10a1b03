/**
 * How etcd computes the ids of members and clusters: the first 8 bytes, big-endian, of a SHA-1 over
 * what identifies them. Pure: the caller gives the hash function and the time.
 */
import type { Sha1 } from "../../platform/hash.js";

/**
 * `token` is the initial cluster token. `unixSeconds` is set for a member that joins a running
 * cluster. It is undefined at bootstrap, where all members must compute the same ids.
 */
export function memberId(
  of: {
    readonly peerUrls: readonly string[];
    readonly token: string;
    readonly unixSeconds: number | undefined;
  },
  sha1: Sha1,
): bigint {
  const time = of.unixSeconds === undefined ? "" : of.unixSeconds.toString();
  const text = [...of.peerUrls].sort().join("") + of.token + time;
  return firstEightBytes(sha1(new TextEncoder().encode(text)));
}

/** The id of a cluster, from the ids of the founding members in any order. */
export function clusterId(memberIds: readonly bigint[], sha1: Sha1): bigint {
  const sorted = [...memberIds].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const view = new DataView(new ArrayBuffer(sorted.length * 8));
  for (const [place, id] of sorted.entries()) view.setBigUint64(place * 8, id);
  return firstEightBytes(sha1(new Uint8Array(view.buffer)));
}

function firstEightBytes(hash: Uint8Array): bigint {
  return new DataView(hash.buffer, hash.byteOffset, hash.byteLength).getBigUint64(0);
}
