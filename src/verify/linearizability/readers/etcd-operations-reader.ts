/**
 * Reads operations.json of etcd's robustness tests: JSON objects with ClientId, Input, Call, Output
 * and Return. Format: tests/robustness/report/client.go and tests/robustness/model/types.go of
 * etcd-io/etcd.
 *
 * The recorder keeps a put and a delete as a transaction of one operation, an answer that never came
 * as an Error, times in nanoseconds, and no revision for a compaction. A compaction that was
 * acknowledged therefore counts as one that may have happened.
 */
import type {
  Compare,
  Op,
  OpAnswer,
  Operation,
  OperationOutcome,
  Request,
} from "../../history/types.js";
import { bytesText, keyValueOf, recordedValue } from "./etcd-values.js";
import { GoFields } from "./go-fields.js";
import { jsonObjects } from "./json-objects.js";

const nsPerUs = 1_000;
/** Ids have 64 bits, more than a number of JavaScript holds exactly. */
const leaseIds = /(?<!\\)"LeaseID":\s*(-?\d+)/g;
/** The recorder leaves out the prefix that the errors have on the wire. */
const errorPrefix = "etcdserver: ";

/**
 * @param firstId the id of the first operation; the others follow
 * @throws HistoryFormatError
 */
export function readEtcdOperations(text: string, firstId = 1): readonly Operation[] {
  const operations: Operation[] = [];
  const quoted = (object: string): string => object.replace(leaseIds, '"LeaseID":"$1"');
  for (const { value, line } of jsonObjects(text, quoted)) {
    operations.push(operationOf(new GoFields(value, line), firstId + operations.length));
  }
  return operations;
}

function operationOf(fields: GoFields, id: number): Operation {
  const input = fields.part("Input") ?? fields.fail("has no Input");
  const output = fields.part("Output") ?? fields.fail("has no Output");
  const call = fields.whole("Call");
  const end = fields.whole("Return");
  if (end < call) fields.fail(`returns at ${end}, before its call at ${call}`);
  const request = requestOf(input);
  return {
    ...{ id, client: fields.whole("ClientId"), member: output.text("member-id") },
    callUs: Math.floor(call / nsPerUs),
    returnUs: Math.floor(end / nsPerUs),
    ...{ request, outcome: outcomeOf(request, output) },
  };
}

function requestOf(input: GoFields): Request {
  const type = input.text("Type");
  const needs = (name: string): GoFields => input.part(name) ?? input.fail(`has no ${name}`);
  switch (type) {
    case "range": {
      const range = needs("Range");
      const revision = range.whole("Revision");
      return { ...rangeOf(range), ...(revision > 0 ? { revision } : {}) };
    }
    case "txn": {
      const txn = needs("Txn");
      return {
        kind: "txn",
        compares: txn.list("Conditions").map(compareOf),
        success: txn.list("OperationsOnSuccess").map(opOf),
        failure: txn.list("OperationsOnFailure").map(opOf),
      };
    }
    case "leaseGrant":
      return { kind: "leaseGrant", id: idOf(needs("LeaseGrant")), ttl: 0 };
    case "leaseRevoke":
      return { kind: "leaseRevoke", id: idOf(needs("LeaseRevoke")) };
    case "compact":
      return { kind: "compact", revision: needs("Compact").whole("Revision") };
    case "defragment":
      return { kind: "other", name: "Defragment" };
    default:
      return input.fail(`has the unknown Type ${JSON.stringify(type)}`);
  }
}

function idOf(fields: GoFields): string {
  return fields.text("LeaseID") || "0";
}

function rangeOf(fields: GoFields): Extract<Op, { kind: "range" }> {
  const end = fields.text("End");
  const limit = fields.whole("Limit");
  return {
    kind: "range",
    key: bytesText(fields.text("Start")),
    ...(end === "" ? {} : { end: bytesText(end) }),
    ...(limit > 0 ? { limit } : {}),
    ...(fields.flag("KeysOnly") ? { keysOnly: true } : {}),
  };
}

function compareOf(fields: GoFields): Compare {
  const key = bytesText(fields.text("Key"));
  const version = fields.whole("ExpectedVersion");
  return version > 0
    ? { key, target: "version", result: "=", value: version }
    : { key, target: "mod", result: "=", value: fields.whole("ExpectedRevision") };
}

function opOf(fields: GoFields): Op {
  const type = fields.text("Type");
  const needs = (name: string): GoFields => fields.part(name) ?? fields.fail(`has no ${name}`);
  switch (type) {
    case "range-operation":
      return rangeOf(needs("Range"));
    case "put-operation": {
      const put = needs("Put");
      const lease = idOf(put);
      const value = recordedValue(put.part("Value"));
      const plain = { kind: "put", key: bytesText(put.text("Key")), value } as const;
      return lease === "0" ? plain : { ...plain, lease };
    }
    case "delete-operation":
      return { kind: "delete", key: bytesText(needs("Delete").text("Key")) };
    default:
      return fields.fail(`has the unknown Type ${JSON.stringify(type)}`);
  }
}

function outcomeOf(request: Request, output: GoFields): OperationOutcome {
  const error = output.text("Error");
  if (error !== "") return { kind: "unknown", error };
  const refused = output.text("ClientError");
  if (refused !== "") return { kind: "refused", error: `${errorPrefix}${refused}` };
  if (output.flag("Persisted")) return { kind: "unknown", error: "only found in the log" };
  const revision = output.whole("Revision");
  switch (request.kind) {
    case "range": {
      const answer = rangeAnswer(output.part("Range") ?? output.fail("has no Range"));
      return { kind: "ok", revision, answer };
    }
    case "txn":
      return txnOutcome(request, output.part("Txn") ?? output.fail("has no Txn"), revision);
    case "leaseGrant":
      return { kind: "ok", revision, answer: { kind: "lease", id: request.id, ttl: request.ttl } };
    case "compact":
      return { kind: "unknown", error: "done; the recorder keeps no revision of it" };
    case "other":
      return { kind: "ok", revision: 0, answer: { kind: "none" } };
    default:
      return { kind: "ok", revision, answer: { kind: "none" } };
  }
}

function txnOutcome(
  request: Extract<Request, { kind: "txn" }>,
  txn: GoFields,
  revision: number,
): OperationOutcome {
  const succeeded = !txn.flag("Failure");
  const ops = succeeded ? request.success : request.failure;
  const results = txn.list("Results");
  if (results.length !== ops.length) {
    txn.fail(`has ${results.length} Results, for ${ops.length} operations`);
  }
  const answers = ops.map((op, at): OpAnswer => {
    const result = results[at] as GoFields;
    if (op.kind === "put") return { kind: "put" };
    if (op.kind === "delete") return { kind: "delete", deleted: result.whole("Deleted") };
    return rangeAnswer(result);
  });
  return { kind: "ok", revision, answer: { kind: "txn", succeeded, answers } };
}

function rangeAnswer(fields: GoFields): OpAnswer {
  const kvs = fields.list("KVs").map((kv) => keyValueOf(kv.text("Key"), kv));
  return { kind: "range", kvs, count: fields.whole("Count") };
}
