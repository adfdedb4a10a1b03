/**
 * The requests that etcd refuses by their form alone, before it looks at any state. The order of
 * the checks is etcd's, because a request with two faults gets the error of the first. Nothing here
 * throws.
 */
import { KvError } from "../../base/errors.js";
import {
  RangeRequest_SortOrder as Order,
  type RangeRequest,
  type RequestOp,
  RangeRequest_SortTarget as Target,
  type TxnRequest,
} from "../../wire/gen/rpc.js";
import type { PutRequestFields } from "../../wire/internal-request.js";

/** The bytes of quota that etcd charges for a put beyond its key and value. */
const putOverheadBytes = 256;

export function rangeFault(request: RangeRequest): KvError | undefined {
  if (request.key.length === 0) return new KvError("emptyKey");
  const { sort_order: order, sort_target: target } = request;
  const isKnown =
    order >= Order.NONE && order <= Order.DESCEND && target >= Target.KEY && target <= Target.VALUE;
  return isKnown ? undefined : new KvError("invalidSortOption");
}

export function putFault(put: PutRequestFields): KvError | undefined {
  if (put.key.length === 0) return new KvError("emptyKey");
  if (put.ignore_value && put.value.length > 0) return new KvError("valueProvided");
  if (put.ignore_lease && put.lease !== 0n) return new KvError("leaseProvided");
  return undefined;
}

export function deleteFault(request: { readonly key: Uint8Array }): KvError | undefined {
  return request.key.length === 0 ? new KvError("emptyKey") : undefined;
}

/**
 * Checks a transaction. The nested transactions share `opsMax`: each level subtracts its longest
 * list.
 */
export function txnFault(request: TxnRequest, opsMax: number): KvError | undefined {
  const { compare, success, failure } = request;
  const ops = Math.max(compare.length, success.length, failure.length);
  if (ops > opsMax) return new KvError("tooManyOps");
  for (const { key } of compare) if (key.length === 0) return new KvError("emptyKey");
  for (const branch of [success, failure]) {
    for (const op of branch) {
      const fault = opFault(op, opsMax - ops);
      if (fault !== undefined) return fault;
    }
  }
  return undefined;
}

function opFault({ request }: RequestOp, opsMax: number): KvError | undefined {
  switch (request?.$case) {
    case "request_range":
      return rangeFault(request.value);
    case "request_put":
      return putFault(request.value);
    case "request_delete_range":
      return deleteFault(request.value);
    case "request_txn":
      return txnFault(request.value, opsMax);
    default:
      return new KvError("keyNotFound");
  }
}

/** The bytes that a put counts against the quota. */
export function putGrowth(put: { readonly key: Uint8Array; readonly value: Uint8Array }): number {
  return putOverheadBytes + put.key.length + put.value.length;
}

/** The bytes that a transaction counts against the quota: those of the more expensive branch. */
export function txnGrowth({ success, failure }: TxnRequest): number {
  return Math.max(branchGrowth(success), branchGrowth(failure));
}

function branchGrowth(ops: readonly RequestOp[]): number {
  let growth = 0;
  for (const { request } of ops) {
    if (request?.$case === "request_put") growth += putGrowth(request.value);
    else if (request?.$case === "request_txn") growth += txnGrowth(request.value);
  }
  return growth;
}

/**
 * True if the transaction has only ranges, at the top level: such a transaction needs no log. An
 * empty one counts, too.
 */
export function isReadOnly({ success, failure }: TxnRequest): boolean {
  return success.every(isRange) && failure.every(isRange);
}

function isRange(op: RequestOp): boolean {
  return op.request?.$case === "request_range";
}

/** For a read-only transaction: true if every range allows a serializable read. */
export function isSerializable({ success, failure }: TxnRequest): boolean {
  const isLocal = ({ request }: RequestOp): boolean =>
    request?.$case === "request_range" && request.value.serializable;
  return success.every(isLocal) && failure.every(isLocal);
}
