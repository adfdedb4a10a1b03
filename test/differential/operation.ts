/**
 * One request of a differential run, as plain data that prints and replays: bytes are latin-1
 * strings, integers are numbers, and a revision may be relative to the store's current one, so that
 * a sequence keeps its sense when the shrinker takes operations out of it.
 */

import { complete } from "../../src/cli/ctl/method.js";
import * as rpc from "../../src/wire/gen/rpc.js";
import { type UnaryName, unaryMethods } from "../support/client.js";

export type Plain =
  | string
  | number
  | boolean
  /** The current revision less `back` (never below 1; negative: a future one). */
  | { readonly back: number }
  /** As many bytes "x" as this says. */
  | { readonly fill: number }
  | readonly Plain[]
  | { readonly [field: string]: Plain };
export type Fields = { readonly [field: string]: Plain };

export interface Operation {
  readonly call: UnaryName;
  readonly fields: Fields;
}

const ENUM_FIELDS: ReadonlySet<string> = new Set([
  "sort_order",
  "sort_target",
  "result",
  "target",
  "action",
  "alarm",
]);

function lowerValue(field: string, value: Plain, revision: number): unknown {
  if (typeof value === "string") return Buffer.from(value, "latin1");
  if (typeof value === "number") return ENUM_FIELDS.has(field) ? value : BigInt(value);
  if (typeof value === "boolean") return value;
  if ("back" in value) return BigInt(Math.max(1, revision - Number(value.back)));
  if ("fill" in value) return Buffer.alloc(Number(value.fill), "x");
  throw new Error(`field ${field} needs a lowering of its own`);
}

function lowerFields(fields: Fields, revision: number): Record<string, unknown> {
  const lowered: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(fields)) {
    lowered[field] = lowerValue(field, value, revision);
  }
  return lowered;
}

function lowerCompare(fields: Fields, revision: number): rpc.Compare {
  const { target_union: union, ...others } = fields;
  const compare = complete(rpc.Compare, lowerFields(others, revision) as Partial<rpc.Compare>);
  if (union !== undefined) {
    const [name, value] = Object.entries(union as Fields)[0] as [string, Plain];
    const lowered = { $case: name, value: lowerValue(name, value, revision) };
    compare.target_union = lowered as rpc.Compare["target_union"];
  }
  return compare;
}

const REQUEST_CODECS = {
  request_range: rpc.RangeRequest,
  request_put: rpc.PutRequest,
  request_delete_range: rpc.DeleteRangeRequest,
} as const;

/** `{}` lowers to a RequestOp without a request, which servers must refuse. */
function lowerRequestOp(fields: Fields, revision: number): rpc.RequestOp {
  const [name, value] = (Object.entries(fields)[0] ?? []) as [string?, Plain?];
  if (name === undefined) return { request: undefined };
  if (name === "request_txn") {
    return { request: { $case: name, value: lowerTxn(value as Fields, revision) } };
  }
  const codec = REQUEST_CODECS[name as keyof typeof REQUEST_CODECS];
  const message = complete(codec as never, lowerFields(value as Fields, revision) as never);
  return { request: { $case: name, value: message } as rpc.RequestOp["request"] };
}

function lowerTxn(fields: Fields, revision: number): rpc.TxnRequest {
  const list = (name: string): readonly Fields[] => (fields[name] ?? []) as readonly Fields[];
  return {
    compare: list("compare").map((each) => lowerCompare(each, revision)),
    success: list("success").map((each) => lowerRequestOp(each, revision)),
    failure: list("failure").map((each) => lowerRequestOp(each, revision)),
  };
}

/** The request message of an operation, at a store whose current revision is `revision`. */
export function lower(operation: Operation, revision: number): object {
  if (operation.call === "txn") return lowerTxn(operation.fields, revision);
  const codec = unaryMethods[operation.call].request as never;
  return complete(codec, lowerFields(operation.fields, revision) as never) as object;
}

export function printOperations(operations: readonly Operation[]): string {
  return operations.map((each) => `  ${JSON.stringify(each)},`).join("\n");
}
