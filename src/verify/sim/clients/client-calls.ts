/**
 * Requests and answers of the history (verify/history/types.ts) as etcd's protobuf messages: what a
 * simulated client sends to a member's services and what it reads from them.
 */

import type { KeyValue as WireKeyValue } from "../../../wire/gen/kv.js";
import {
  CompactionRequest,
  CompactionResponse,
  Compare_CompareResult,
  Compare_CompareTarget,
  DeleteRangeRequest,
  DeleteRangeResponse,
  LeaseGrantRequest,
  LeaseGrantResponse,
  LeaseRevokeRequest,
  LeaseRevokeResponse,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  TxnRequest,
  TxnResponse,
} from "../../../wire/gen/rpc.js";
import type {
  Compare,
  KeyValue,
  Op,
  OpAnswer,
  OperationAnswer,
  Request,
  SortField,
  TxnAnswer,
  TxnOp,
} from "../../history/types.js";

/** The path and the protobuf body of a unary call. */
export interface Encoded {
  readonly path: string;
  readonly bytes: Uint8Array;
}

type UnaryRequest = Exclude<Request, { readonly kind: "leaseKeepAlive" | "other" }>;

/** One byte for each character; see history/types.ts. */
export function bytesOf(text: string): Buffer {
  return Buffer.from(text, "latin1");
}

/** One character for each byte; see history/types.ts. */
export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}

/** Encodes a request of a history as etcd's clients would. */
export function encodeRequest(request: UnaryRequest): Encoded {
  const kv = "/etcdserverpb.KV/";
  switch (request.kind) {
    case "range":
      return {
        path: `${kv}Range`,
        bytes: RangeRequest.encode(rangeOf(request, request.serializable === true)).finish(),
      };
    case "put":
      return { path: `${kv}Put`, bytes: PutRequest.encode(putOf(request)).finish() };
    case "delete":
      return {
        path: `${kv}DeleteRange`,
        bytes: DeleteRangeRequest.encode(deleteOf(request)).finish(),
      };
    case "txn":
      return { path: `${kv}Txn`, bytes: TxnRequest.encode(txnOf(request)).finish() };
    case "compact": {
      const compaction = { revision: BigInt(request.revision), physical: false };
      return { path: `${kv}Compact`, bytes: CompactionRequest.encode(compaction).finish() };
    }
    case "leaseGrant": {
      const grant = { ID: BigInt(request.id), TTL: BigInt(request.ttl) };
      return {
        path: "/etcdserverpb.Lease/LeaseGrant",
        bytes: LeaseGrantRequest.encode(grant).finish(),
      };
    }
    case "leaseRevoke": {
      const bytes = LeaseRevokeRequest.encode({ ID: BigInt(request.id) }).finish();
      return { path: "/etcdserverpb.Lease/LeaseRevoke", bytes };
    }
  }
}

/** Decodes an answer: the revision of its header, and its content. */
export function decodeAnswer(
  request: UnaryRequest,
  bytes: Uint8Array,
): { readonly revision: number; readonly answer: OperationAnswer } {
  switch (request.kind) {
    case "range": {
      const { header, kvs, count } = RangeResponse.decode(bytes);
      return { revision: Number(header?.revision), answer: rangeAnswer(kvs, count) };
    }
    case "put":
      return { revision: revisionOf(PutResponse.decode(bytes)), answer: { kind: "put" } };
    case "delete": {
      const response = DeleteRangeResponse.decode(bytes);
      const deleted = Number(response.deleted);
      return { revision: revisionOf(response), answer: { kind: "delete", deleted } };
    }
    case "txn": {
      const response = TxnResponse.decode(bytes);
      return { revision: revisionOf(response), answer: txnAnswer(response) };
    }
    case "compact":
      return { revision: revisionOf(CompactionResponse.decode(bytes)), answer: { kind: "none" } };
    case "leaseGrant": {
      const response = LeaseGrantResponse.decode(bytes);
      const answer = { kind: "lease", id: `${response.ID}`, ttl: Number(response.TTL) } as const;
      return { revision: revisionOf(response), answer };
    }
    case "leaseRevoke":
      return { revision: revisionOf(LeaseRevokeResponse.decode(bytes)), answer: { kind: "none" } };
  }
}

function revisionOf(response: {
  readonly header?: { readonly revision: bigint } | undefined;
}): number {
  return Number(response.header?.revision ?? 0n);
}

/** The fields in the order of etcd's RangeRequest.SortTarget. */
const sortFields: readonly SortField[] = ["key", "version", "create", "mod", "value"];

function rangeOf(range: Extract<Op, { kind: "range" }>, serializable: boolean): RangeRequest {
  return {
    key: bytesOf(range.key),
    range_end: bytesOf(range.end ?? ""),
    limit: BigInt(range.limit ?? 0),
    revision: BigInt(range.revision ?? 0),
    sort_order: range.descending === true ? 2 : range.sortBy === undefined ? 0 : 1,
    sort_target: sortFields.indexOf(range.sortBy ?? "key"),
    serializable,
    keys_only: range.keysOnly ?? false,
    count_only: range.countOnly ?? false,
    min_mod_revision: 0n,
    max_mod_revision: 0n,
    min_create_revision: 0n,
    max_create_revision: 0n,
  };
}

function putOf(put: Extract<Op, { kind: "put" }>): PutRequest {
  return {
    key: bytesOf(put.key),
    value: bytesOf(put.value),
    lease: BigInt(put.lease ?? 0),
    prev_kv: false,
    ignore_value: false,
    ignore_lease: false,
  };
}

function deleteOf(range: Extract<Op, { kind: "delete" }>): DeleteRangeRequest {
  return { key: bytesOf(range.key), range_end: bytesOf(range.end ?? ""), prev_kv: false };
}

function txnOf({ compares, success, failure }: TxnOp): TxnRequest {
  return {
    compare: compares.map(compareOf),
    success: success.map(opOf),
    failure: failure.map(opOf),
  };
}

function opOf(op: Op): TxnRequest["success"][number] {
  switch (op.kind) {
    case "txn":
      return { request: { $case: "request_txn", value: txnOf(op) } };
    case "range":
      return { request: { $case: "request_range", value: rangeOf(op, false) } };
    case "put":
      return { request: { $case: "request_put", value: putOf(op) } };
    case "delete":
      return { request: { $case: "request_delete_range", value: deleteOf(op) } };
  }
}

const results = {
  "=": Compare_CompareResult.EQUAL,
  "!=": Compare_CompareResult.NOT_EQUAL,
  "<": Compare_CompareResult.LESS,
  ">": Compare_CompareResult.GREATER,
};

function compareOf(compare: Compare): TxnRequest["compare"][number] {
  const head = {
    key: bytesOf(compare.key),
    range_end: bytesOf(""),
    result: results[compare.result],
  };
  const { target, value } = compare;
  switch (target) {
    case "version":
      return {
        ...head,
        target: Compare_CompareTarget.VERSION,
        target_union: { $case: "version", value: BigInt(value) },
      };
    case "create":
      return {
        ...head,
        target: Compare_CompareTarget.CREATE,
        target_union: { $case: "create_revision", value: BigInt(value) },
      };
    case "mod":
      return {
        ...head,
        target: Compare_CompareTarget.MOD,
        target_union: { $case: "mod_revision", value: BigInt(value) },
      };
    case "value":
      return {
        ...head,
        target: Compare_CompareTarget.VALUE,
        target_union: { $case: "value", value: bytesOf(`${value}`) },
      };
    case "lease":
      return {
        ...head,
        target: Compare_CompareTarget.LEASE,
        target_union: { $case: "lease", value: BigInt(value) },
      };
  }
}

function txnAnswer({ succeeded, responses }: TxnResponse): TxnAnswer {
  const answers = responses.map(({ response }) => opAnswer(response));
  return { kind: "txn", succeeded, answers };
}

function opAnswer(op: TxnResponse["responses"][number]["response"]): OpAnswer {
  switch (op?.$case) {
    case "response_txn":
      return txnAnswer(op.value);
    case "response_range":
      return rangeAnswer(op.value.kvs, op.value.count);
    case "response_delete_range":
      return { kind: "delete", deleted: Number(op.value.deleted) };
    default:
      return { kind: "put" };
  }
}

function rangeAnswer(kvs: readonly WireKeyValue[], count: bigint): OpAnswer {
  return { kind: "range", kvs: kvs.map(keyValueOf), count: Number(count) };
}

/** A KeyValue of the wire as one of a history. Revisions must be safe integers. */
export function keyValueOf(kv: WireKeyValue): KeyValue {
  return {
    key: textOf(kv.key),
    value: textOf(kv.value),
    create: Number(kv.create_revision),
    mod: Number(kv.mod_revision),
    version: Number(kv.version),
    ...(kv.lease === 0n ? {} : { lease: `${kv.lease}` }),
  };
}

/**
 * The request in an applied log entry, in the form of the history. Undefined: it is no request of a
 * client.
 */
export function requestOfEntry(field: number, body: Uint8Array): Request | undefined {
  switch (field) {
    case 4: {
      const put = PutRequest.decode(body);
      return putRequest(put);
    }
    case 5:
      return deleteRequest(DeleteRangeRequest.decode(body));
    case 6:
      return txnRequest(TxnRequest.decode(body));
    case 7:
      return { kind: "compact", revision: Number(CompactionRequest.decode(body).revision) };
    case 8: {
      const { ID, TTL } = LeaseGrantRequest.decode(body);
      return { kind: "leaseGrant", id: `${ID}`, ttl: Number(TTL) };
    }
    case 9:
      return { kind: "leaseRevoke", id: `${LeaseRevokeRequest.decode(body).ID}` };
    default:
      return undefined;
  }
}

function txnRequest({ compare, success, failure }: TxnRequest): TxnOp {
  return {
    kind: "txn",
    compares: compare.map(compareRequest),
    success: success.map(opRequest),
    failure: failure.map(opRequest),
  };
}

function putRequest(put: PutRequest): Extract<Op, { kind: "put" }> {
  const lease = put.lease === 0n ? {} : { lease: `${put.lease}` };
  return { kind: "put", key: textOf(put.key), value: textOf(put.value), ...lease };
}

function deleteRequest(range: DeleteRangeRequest): Extract<Op, { kind: "delete" }> {
  const end = range.range_end.length === 0 ? {} : { end: textOf(range.range_end) };
  return { kind: "delete", key: textOf(range.key), ...end };
}

function opRequest(op: TxnRequest["success"][number]): Op {
  const { request } = op;
  if (request?.$case === "request_put") return putRequest(request.value);
  if (request?.$case === "request_delete_range") return deleteRequest(request.value);
  if (request?.$case === "request_txn") return txnRequest(request.value);
  if (request?.$case !== "request_range") throw new Error("an operation that no client here sends");
  const { key, range_end, limit, revision, sort_order, sort_target } = request.value;
  const sortBy = sortFields[sort_target] ?? "key";
  return {
    kind: "range",
    key: textOf(key),
    ...(range_end.length === 0 ? {} : { end: textOf(range_end) }),
    ...(limit === 0n ? {} : { limit: Number(limit) }),
    ...(revision === 0n ? {} : { revision: Number(revision) }),
    ...(sort_order === 0 ? {} : { sortBy, descending: sort_order === 2 }),
  };
}

const resultNames: readonly Compare["result"][] = ["=", ">", "<", "!="];

function compareRequest(compare: TxnRequest["compare"][number]): Compare {
  const head = { key: textOf(compare.key), result: resultNames[compare.result] ?? "=" };
  const union = compare.target_union;
  switch (union?.$case) {
    case "version":
      return { ...head, target: "version", value: Number(union.value) };
    case "create_revision":
      return { ...head, target: "create", value: Number(union.value) };
    case "mod_revision":
      return { ...head, target: "mod", value: Number(union.value) };
    case "lease":
      return { ...head, target: "lease", value: `${union.value}` };
    default:
      return { ...head, target: "value", value: union === undefined ? "" : textOf(union.value) };
  }
}
