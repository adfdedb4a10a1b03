/** The RPCs of `lockstep ctl`, its audit and the tests: path and codecs, without a transport. */
import { ReportRequest, ReportResponse } from "../../wire/gen/integrity.js";
import * as rpc from "../../wire/gen/rpc.js";

/** Encodes and decodes one type of message. */
export interface Codec<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

export interface ClientMethod<Q, R> {
  /** As on the wire: "/etcdserverpb.KV/Range". */
  readonly path: string;
  readonly request: Codec<Q>;
  readonly response: Codec<R>;
}

/** A method of one of etcd's services: `path` as "KV/Range". */
function method<Q, R>(path: string, request: Codec<Q>, response: Codec<R>): ClientMethod<Q, R> {
  return { path: `/etcdserverpb.${path}`, request, response };
}

/** The RPCs that `lockstep ctl` calls, those of users and roles aside (auth/methods.ts). */
export const methods = {
  range: method("KV/Range", rpc.RangeRequest, rpc.RangeResponse),
  put: method("KV/Put", rpc.PutRequest, rpc.PutResponse),
  deleteRange: method("KV/DeleteRange", rpc.DeleteRangeRequest, rpc.DeleteRangeResponse),
  txn: method("KV/Txn", rpc.TxnRequest, rpc.TxnResponse),
  compact: method("KV/Compact", rpc.CompactionRequest, rpc.CompactionResponse),
  watch: method("Watch/Watch", rpc.WatchRequest, rpc.WatchResponse),
  grant: method("Lease/LeaseGrant", rpc.LeaseGrantRequest, rpc.LeaseGrantResponse),
  revoke: method("Lease/LeaseRevoke", rpc.LeaseRevokeRequest, rpc.LeaseRevokeResponse),
  keepAlive: method("Lease/LeaseKeepAlive", rpc.LeaseKeepAliveRequest, rpc.LeaseKeepAliveResponse),
  timeToLive: method(
    "Lease/LeaseTimeToLive",
    rpc.LeaseTimeToLiveRequest,
    rpc.LeaseTimeToLiveResponse,
  ),
  leases: method("Lease/LeaseLeases", rpc.LeaseLeasesRequest, rpc.LeaseLeasesResponse),
  memberAdd: method("Cluster/MemberAdd", rpc.MemberAddRequest, rpc.MemberAddResponse),
  memberRemove: method("Cluster/MemberRemove", rpc.MemberRemoveRequest, rpc.MemberRemoveResponse),
  memberUpdate: method("Cluster/MemberUpdate", rpc.MemberUpdateRequest, rpc.MemberUpdateResponse),
  memberList: method("Cluster/MemberList", rpc.MemberListRequest, rpc.MemberListResponse),
  memberPromote: method(
    "Cluster/MemberPromote",
    rpc.MemberPromoteRequest,
    rpc.MemberPromoteResponse,
  ),
  alarm: method("Maintenance/Alarm", rpc.AlarmRequest, rpc.AlarmResponse),
  status: method("Maintenance/Status", rpc.StatusRequest, rpc.StatusResponse),
  defragment: method("Maintenance/Defragment", rpc.DefragmentRequest, rpc.DefragmentResponse),
  hashKv: method("Maintenance/HashKV", rpc.HashKVRequest, rpc.HashKVResponse),
  moveLeader: method("Maintenance/MoveLeader", rpc.MoveLeaderRequest, rpc.MoveLeaderResponse),
  snapshot: method("Maintenance/Snapshot", rpc.SnapshotRequest, rpc.SnapshotResponse),
  /** Lockstep's own RPC; etcd has none like it. */
  report: {
    path: "/lockstep.Integrity/Report",
    request: ReportRequest,
    response: ReportResponse,
  } as ClientMethod<ReportRequest, ReportResponse>,
} as const;

/** Completes a message of which only some fields are given: the others get proto3's defaults. */
export function complete<T>(codec: Codec<T>, fields: Partial<T>): T {
  return Object.assign(codec.decode(new Uint8Array(0)) as object, fields) as T;
}
