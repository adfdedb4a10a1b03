/**
 * Turns a state into rows of etcd's backend. The rows of keys, leases and users are the same in
 * both. The small buckets, which say who the members are and what is applied, are written anew
 * here. Members, configuration and downgrade are JSON texts in etcd, with ids as plain numbers.
 */
import { compareBytes } from "../base/bytes.js";
import type { BackendReader } from "../platform/backend.js";
import { Bucket } from "../platform/rows.js";
import type { ConfState } from "../raft/types.js";
import { ClusterState } from "../state/cluster/cluster-state.js";
import { emptyMeta, type Meta, readMeta } from "../state/meta.js";
import { encodeRevision } from "../state/mvcc/revision-key.js";
import { RowReader } from "../state/rows.js";
import type { MemberRecord } from "../state/types.js";
import { type EtcdBucket, MetaKey, u64, utf8 } from "./schema.js";

export interface ExportedRow {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** Buckets whose rows are taken over as they are. */
export const sharedBuckets: ReadonlyMap<EtcdBucket, Bucket> = new Map([
  ["key", Bucket.key],
  ["lease", Bucket.lease],
  ["auth", Bucket.auth],
  ["authUsers", Bucket.authUsers],
  ["authRoles", Bucket.authRoles],
] as const);

/** The rows of the other buckets, by key. A bucket that is not named is empty. @throws DamageError */
export function smallBuckets(view: BackendReader): ReadonlyMap<EtcdBucket, readonly ExportedRow[]> {
  const rows = new RowReader(view);
  const cluster = new ClusterState();
  cluster.restore(rows);
  const meta = readMeta(view, undefined) ?? emptyMeta();
  return new Map([
    ["alarm", alarmRows(rows)],
    ["cluster", clusterRows(cluster)],
    ["members", cluster.members().map(memberRow).sort(byKey)],
    ["members_removed", [...cluster.removed()].map(removedRow).sort(byKey)],
    ["meta", metaRows(meta, cluster)],
  ]);
}

/** etcd keeps the name of an alarm in the key alone. */
function alarmRows(rows: RowReader): ExportedRow[] {
  const alarms: ExportedRow[] = [];
  rows.scan(Bucket.alarm, { from: new Uint8Array(0) }, (key) => {
    alarms.push({ key, value: new Uint8Array(0) });
    return true;
  });
  return alarms;
}

function clusterRows(cluster: ClusterState): ExportedRow[] {
  const version = cluster.clusterVersion();
  const target = cluster.downgradeTarget();
  const rows: ExportedRow[] = [];
  if (version !== "") rows.push({ key: utf8("clusterVersion"), value: utf8(version) });
  if (target !== undefined) {
    const downgrade = JSON.stringify({ "target-version": target, enabled: true });
    rows.push({ key: utf8("downgrade"), value: utf8(downgrade) });
  }
  return rows;
}

function memberRow(member: MemberRecord): ExportedRow {
  const fields = [`"id":${member.id}`, `"peerURLs":${JSON.stringify(member.peerUrls)}`];
  if (member.isLearner) fields.push('"isLearner":true');
  if (member.name !== "") fields.push(`"name":${JSON.stringify(member.name)}`);
  if (member.clientUrls.length > 0)
    fields.push(`"clientURLs":${JSON.stringify(member.clientUrls)}`);
  return { key: utf8(member.id.toString(16)), value: utf8(`{${fields.join(",")}}`) };
}

function removedRow(id: bigint): ExportedRow {
  return { key: utf8(id.toString(16)), value: utf8("removed") };
}

function metaRows(meta: Meta, cluster: ClusterState): ExportedRow[] {
  const rows: ExportedRow[] = [];
  const put = (key: string, value: Uint8Array): void => void rows.push({ key: utf8(key), value });
  put(MetaKey.confState, utf8(confStateText(cluster.confState())));
  put(MetaKey.consistentIndex, u64(BigInt(meta.index)));
  put(MetaKey.term, u64(BigInt(meta.term)));
  const putRevision = (key: string, revision: number): void => {
    if (revision >= 0) put(key, encodeRevision(revision, 0, false));
  };
  putRevision(MetaKey.finishedCompact, meta.finishedCompactRevision);
  putRevision(MetaKey.scheduledCompact, meta.compactRevision);
  if (cluster.clusterVersion() !== "") {
    put(MetaKey.storageVersion, utf8(cluster.clusterVersion()));
  }
  return rows.sort(byKey);
}

function confStateText(conf: ConfState): string {
  const fields: string[] = [];
  const list = (name: string, ids: readonly bigint[]): void => {
    if (ids.length > 0) fields.push(`"${name}":[${ids.join(",")}]`);
  };
  list("voters", conf.voters);
  list("learners", conf.learners);
  list("voters_outgoing", conf.votersOutgoing);
  list("learners_next", conf.learnersNext);
  fields.push(`"auto_leave":${conf.autoLeave}`);
  return `{${fields.join(",")}}`;
}

function byKey(a: ExportedRow, b: ExportedRow): number {
  return compareBytes(a.key, b.key);
}
