/**
 * What two servers' answers to one request must share: everything but what cannot be equal (cluster
 * and member id, term, remaining seconds of a lease) and what the API leaves open (order of a
 * lease's keys, of leases that expire together, and of equal elements in a long sorted range).
 */
import type { Member } from "../../src/wire/gen/rpc.js";
import { isServiceError } from "../support/client.js";
import type { Operation } from "./operation.js";

export type Answer = { readonly ok: object } | { readonly error: string };

/** etcd sorts stably up to this many elements (insertion sort), and in no stated order above. */
const STABLE_SORT_MAX = 12;
const SORT_FIELDS = ["key", "version", "create_revision", "mod_revision", "value"] as const;

type Record_ = { [field: string]: unknown };

function plain(value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  if (Buffer.isBuffer(value)) return value.toString("latin1");
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === "object" && value !== null) {
    const result: Record_ = {};
    for (const [name, each] of Object.entries(value)) {
      if (each === undefined) continue;
      result[name] = name === "header" ? plainHeader(each) : plain(each);
    }
    return result;
  }
  return value;
}

function plainHeader(header: { revision: bigint }): object {
  return { revision: Number(header.revision) };
}

/** Equal elements in one order; of the last group, cut off by a limit, only what was sorted by. */
function settleTies(response: Record_, fields: Record_): void {
  const target = Number(fields.sort_target ?? 0);
  const field = SORT_FIELDS[target];
  const kvs = response.kvs as Record_[];
  if (field === undefined || target === 0 || Number(response.count) <= STABLE_SORT_MAX) return;
  const last = kvs.at(-1)?.[field];
  response.kvs = kvs
    .map((kv) => (response.more === true && kv[field] === last ? { [field]: last } : kv))
    .map((kv, at) => ({ kv, at: kvs.findIndex((other) => other[field] === kv[field]) ?? at }))
    .sort((x, y) => x.at - y.at || (String(x.kv.key) < String(y.kv.key) ? -1 : 1))
    .map(({ kv }) => kv);
}

function settleTxnTies(responses: readonly Record_[], requests: readonly Record_[]): void {
  responses.forEach((each, at) => {
    const inner = each.response as { $case: string; value: Record_ };
    const request = requests[at] ?? {};
    if (inner.$case === "response_range") {
      settleTies(inner.value, request.request_range as Record_);
    } else if (inner.$case === "response_txn") {
      settleTxn(inner.value, request.request_txn as Record_);
    }
  });
}
function settleTxn(response: Record_, fields: Record_): void {
  const branch = fields[response.succeeded === true ? "success" : "failure"];
  settleTxnTies(response.responses as Record_[], (branch ?? []) as Record_[]);
}

/** The comparable form of an answer, as text. */
export function comparable(operation: Operation, answer: Answer): string {
  if ("error" in answer) return answer.error;
  const response = plain(answer.ok) as Record_;
  const fields = operation.fields as Record_;
  switch (operation.call) {
    case "range":
      settleTies(response, fields);
      break;
    case "txn":
      settleTxn(response, fields);
      break;
    case "leaseTimeToLive":
      response.TTL = Math.sign(response.TTL as number);
      (response.keys as string[]).sort();
      break;
    case "leases":
      (response.leases as Pick<Member, "ID">[]).sort((x, y) => (x.ID < y.ID ? -1 : 1));
      break;
    case "hashKv":
      // The field is new in 3.6: older versions leave it 0.
      delete response.hash_revision;
      break;
    default:
  }
  return JSON.stringify(response);
}

/** A failed call by code and text. @throws what is not an answer of a server. */
export function failed(error: unknown): Answer {
  if (!isServiceError(error)) throw error;
  return { error: `error ${error.code}: ${error.details}` };
}
