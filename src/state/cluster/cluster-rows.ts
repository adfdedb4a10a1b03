/**
 * How the cluster's records stand in the backend. Bucket.members and Bucket.membersRemoved are
 * keyed by the id in hexadecimal (etcd's text form); the values are an encoded etcdserverpb.Member
 * and the word "removed". Bucket.cluster has the key "clusterId" (8 bytes, big-endian) and, as
 * text, "clusterVersion", "downgrade" (the target of the one in progress), "version/<id>" (the
 * version that a member says it runs) and "incarnation/<id>" (8 bytes, big-endian: the member's log).
 */
import type { BackendReader } from "../../platform/backend.js";
import { Bucket } from "../../platform/rows.js";
import { Member } from "../../wire/gen/rpc.js";
import type { MemberRecord, WriteHandle } from "../types.js";

/** What the rows say. A cluster without an id has 0n, one without a version "". */
export interface ClusterRecords {
  readonly clusterId: bigint;
  readonly clusterVersion: string;
  readonly downgradeTarget: string | undefined;
  /** Ascending by id. */
  readonly members: readonly MemberRecord[];
  readonly removed: readonly bigint[];
}

const firstKey = new Uint8Array(1);
const clusterIdKey = bytesOf("clusterId");
const clusterVersionKey = bytesOf("clusterVersion");
const downgradeKey = bytesOf("downgrade");
const removedMark = bytesOf("removed");

export function readClusterRows(reader: BackendReader): ClusterRecords {
  const members: MemberRecord[] = [];
  reader.scan(Bucket.members, { from: firstKey }, (_key, value) => {
    const member = decodeMember(value);
    const serverVersion = textOf(reader.get(Bucket.cluster, versionKey(member.id)));
    const incarnation = numberOf(reader.get(Bucket.cluster, incarnationKey(member.id)));
    members.push({ ...member, serverVersion, incarnation });
    return true;
  });
  const removed: bigint[] = [];
  reader.scan(Bucket.membersRemoved, { from: firstKey }, (key) => {
    removed.push(BigInt(`0x${new TextDecoder().decode(key)}`));
    return true;
  });
  return {
    clusterId: numberOf(reader.get(Bucket.cluster, clusterIdKey)) ?? 0n,
    clusterVersion: textOf(reader.get(Bucket.cluster, clusterVersionKey)) ?? "",
    downgradeTarget: textOf(reader.get(Bucket.cluster, downgradeKey)),
    members: members.sort(byId),
    removed,
  };
}

export function putClusterId(w: WriteHandle, clusterId: bigint): void {
  w.put(Bucket.cluster, clusterIdKey, numberRow(clusterId));
}

export function putClusterVersion(w: WriteHandle, version: string): void {
  w.put(Bucket.cluster, clusterVersionKey, bytesOf(version));
}

/** Undefined deletes the row: no downgrade is in progress. */
export function putDowngradeTarget(w: WriteHandle, target: string | undefined): void {
  if (target === undefined) w.delete(Bucket.cluster, downgradeKey);
  else w.put(Bucket.cluster, downgradeKey, bytesOf(target));
}

/** Writes the Member row alone. Version and incarnation have rows of their own. */
export function putMember(w: WriteHandle, member: MemberRecord): void {
  w.put(Bucket.members, hexKey(member.id), encodeMember(member));
}

/** Undefined deletes the row: the member does not say which version it runs. */
export function putServerVersion(w: WriteHandle, id: bigint, version: string | undefined): void {
  if (version === undefined) w.delete(Bucket.cluster, versionKey(id));
  else w.put(Bucket.cluster, versionKey(id), bytesOf(version));
}

export function putIncarnation(w: WriteHandle, id: bigint, incarnation: bigint): void {
  w.put(Bucket.cluster, incarnationKey(id), numberRow(incarnation));
}

export function putRemoved(w: WriteHandle, id: bigint): void {
  w.put(Bucket.membersRemoved, hexKey(id), removedMark);
}

/** Deletes the member's rows and marks its id as removed for ever. */
export function moveToRemoved(w: WriteHandle, member: MemberRecord): void {
  const { id } = member;
  w.delete(Bucket.members, hexKey(id));
  putRemoved(w, id);
  if (member.serverVersion !== undefined) w.delete(Bucket.cluster, versionKey(id));
  if (member.incarnation !== undefined) w.delete(Bucket.cluster, incarnationKey(id));
}

/** The order of members by id. */
export function byId(a: MemberRecord, b: MemberRecord): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

function encodeMember(member: MemberRecord): Uint8Array {
  return Member.encode({
    ID: member.id,
    name: member.name,
    peerURLs: [...member.peerUrls],
    clientURLs: [...member.clientUrls],
    isLearner: member.isLearner,
  }).finish();
}

function decodeMember(value: Uint8Array): MemberRecord {
  const row = Member.decode(value);
  return {
    id: row.ID,
    name: row.name,
    peerUrls: row.peerURLs,
    clientUrls: row.clientURLs,
    isLearner: row.isLearner,
  };
}

function versionKey(id: bigint): Uint8Array {
  return bytesOf(`version/${id.toString(16)}`);
}

function incarnationKey(id: bigint): Uint8Array {
  return bytesOf(`incarnation/${id.toString(16)}`);
}

function hexKey(id: bigint): Uint8Array {
  return bytesOf(id.toString(16));
}

function numberRow(value: bigint): Uint8Array {
  const row = new Uint8Array(8);
  viewOf(row).setBigUint64(0, value);
  return row;
}

function numberOf(row: Uint8Array | undefined): bigint | undefined {
  return row === undefined ? undefined : viewOf(row).getBigUint64(0);
}

function textOf(row: Uint8Array | undefined): string | undefined {
  return row === undefined ? undefined : new TextDecoder().decode(row);
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
