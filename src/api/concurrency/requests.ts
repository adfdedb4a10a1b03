/** Makes the requests that lock and election send. */
import type { KeyValue } from "../../wire/gen/kv.js";
import {
  type Compare,
  Compare_CompareResult,
  Compare_CompareTarget,
  DeleteRangeRequest,
  DeleteRangeResponse,
  LeaseGrantRequest,
  LeaseGrantResponse,
  RangeRequest,
  RangeRequest_SortOrder,
  RangeRequest_SortTarget,
  RangeResponse,
  type RequestOp,
  type ResponseOp,
  TxnRequest,
  TxnResponse,
} from "../../wire/gen/rpc.js";

export const rangeRpc = {
  path: "/etcdserverpb.KV/Range",
  request: RangeRequest,
  response: RangeResponse,
};
export const txnRpc = { path: "/etcdserverpb.KV/Txn", request: TxnRequest, response: TxnResponse };
export const deleteRpc = {
  path: "/etcdserverpb.KV/DeleteRange",
  request: DeleteRangeRequest,
  response: DeleteRangeResponse,
};
export const grantRpc = {
  path: "/etcdserverpb.Lease/LeaseGrant",
  request: LeaseGrantRequest,
  response: LeaseGrantResponse,
};

const nothing = Buffer.alloc(0);

/** The end of the range of all keys that begin with this prefix, which ends with "/". */
export function endOfFolder(prefix: Buffer): Buffer {
  const end = Buffer.from(prefix);
  end[end.length - 1] = 0x30;
  return end;
}

const plainRange: RangeRequest = {
  key: nothing,
  range_end: nothing,
  limit: 0n,
  revision: 0n,
  sort_order: RangeRequest_SortOrder.NONE,
  sort_target: RangeRequest_SortTarget.KEY,
  serializable: false,
  keys_only: false,
  count_only: false,
  min_mod_revision: 0n,
  max_mod_revision: 0n,
  min_create_revision: 0n,
  max_create_revision: 0n,
};

export function rangeOfKey(key: Buffer): RangeRequest {
  return { ...plainRange, key };
}

/** The key of the folder that was created first. */
export function firstCreated(folder: Buffer): RangeRequest {
  return {
    ...plainRange,
    key: folder,
    range_end: endOfFolder(folder),
    limit: 1n,
    sort_order: RangeRequest_SortOrder.ASCEND,
    sort_target: RangeRequest_SortTarget.CREATE,
  };
}

/** The key of the folder that was created last, but not after this revision. */
export function lastCreatedUntil(folder: Buffer, revision: bigint): RangeRequest {
  return {
    ...firstCreated(folder),
    sort_order: RangeRequest_SortOrder.DESCEND,
    max_create_revision: revision,
  };
}

export function deleteOf(key: Buffer): DeleteRangeRequest {
  return { key, range_end: nothing, prev_kv: false };
}

/**
 * A compare that holds while the key is as it was created at this revision; 0: while there is none.
 */
export function isCreatedAt(key: Buffer, revision: bigint): Compare {
  return {
    result: Compare_CompareResult.EQUAL,
    target: Compare_CompareTarget.CREATE,
    key,
    target_union: { $case: "create_revision", value: revision },
    range_end: nothing,
  };
}

export function rangeOp(value: RangeRequest): RequestOp {
  return { request: { $case: "request_range", value } };
}

export function deleteOp(key: Buffer): RequestOp {
  return { request: { $case: "request_delete_range", value: deleteOf(key) } };
}

export function putOp(key: Buffer, value: Buffer, lease: bigint): RequestOp {
  const put = { key, value, lease, prev_kv: false, ignore_value: false, ignore_lease: false };
  return { request: { $case: "request_put", value: put } };
}

/** The first key of an answer to a range within a transaction. */
export function firstKeyOf(response: ResponseOp | undefined): KeyValue | undefined {
  const answer = response?.response;
  return answer?.$case === "response_range" ? answer.value.kvs[0] : undefined;
}
