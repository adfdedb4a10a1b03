/**
 * Operations of an etcd history in one short line each, and the operations around a contradiction.
 */
import { unreachable } from "../../base/invariant.js";
import type {
  History,
  KeyValue,
  Op,
  Operation,
  OperationAnswer,
  Request,
} from "../history/types.js";
import type { CallView } from "./failure-view.js";

const textMax = 24;
const listMax = 4;
const wordsMax = 110;
const aroundMax = 20;

function quoted(text: string): string {
  return JSON.stringify(text.length <= textMax ? text : `${text.slice(0, textMax - 3)}...`);
}

function opWords(op: Op): string {
  switch (op.kind) {
    case "txn": {
      const compares = op.compares.map(
        ({ key, target, result, value }) => `${target} ${quoted(key)} ${result} ${value}`,
      );
      const branches = [op.success, op.failure].map((ops) => ops.map(opWords).join(", "));
      return `txn if ${compares.join(" and ")} then ${branches[0]} else ${branches[1]}`;
    }
    case "put":
      return `put ${quoted(op.key)} ${quoted(op.value)}${op.lease === undefined ? "" : ` lease ${op.lease}`}`;
    case "delete":
    case "range": {
      const end = op.end === undefined ? "" : ` to ${quoted(op.end)}`;
      const old = op.kind === "range" && (op.revision ?? 0) > 0 ? ` at ${op.revision}` : "";
      return `${op.kind} ${quoted(op.key)}${end}${old}`;
    }
    default:
      return unreachable(op);
  }
}

function requestWords(request: Request): string {
  switch (request.kind) {
    case "leaseGrant":
    case "leaseRevoke":
    case "leaseKeepAlive":
      return `${request.kind} ${request.id}`;
    case "compact":
      return `compact ${request.revision}`;
    case "other":
      return request.name;
    default:
      return `${opWords(request)}${request.kind === "range" && request.serializable ? " serializable" : ""}`;
  }
}

function kvWords({ key, value, mod }: KeyValue): string {
  return `${quoted(key)} = ${quoted(value)} (${mod})`;
}

function answerWords(answer: OperationAnswer): string {
  switch (answer.kind) {
    case "range": {
      const kvs = answer.kvs.slice(0, listMax).map(kvWords);
      const rest = answer.count - kvs.length;
      return ` [${kvs.join(", ")}${rest > 0 ? `, ${rest} more` : ""}]`;
    }
    case "delete":
      return ` ${answer.deleted} deleted`;
    case "txn":
      return ` ${answer.succeeded ? "then" : "else"}${answer.answers.map(answerWords).join("")}`;
    case "lease":
      return ` lease ${answer.id}`;
    default:
      return "";
  }
}

function operationWords(operation: Operation): string {
  const words = wholeWords(operation);
  return words.length <= wordsMax ? words : `${words.slice(0, wordsMax - 3)}...`;
}

function wholeWords({ request, outcome }: Operation): string {
  const asked = requestWords(request);
  switch (outcome.kind) {
    case "ok":
      return `${asked}: revision ${outcome.revision}${answerWords(outcome.answer)}`;
    case "refused":
      return `${asked}: refused, ${outcome.error}`;
    default:
      return `${asked}: no answer`;
  }
}

/** The operations named, those that overlap the first of them, and those shortly before it. */
export function operationsAround(
  { operations }: History,
  ids: readonly number[],
): readonly CallView[] {
  const named = operations.filter(({ id }) => ids.includes(id));
  const first = operations.find(({ id }) => id === ids[0]);
  if (first === undefined) return [];
  const end = first.returnUs ?? first.callUs;
  const nearest = operations
    .filter(({ id, callUs }) => callUs <= end && !ids.includes(id))
    .sort((a, b) => (b.returnUs ?? b.callUs) - (a.returnUs ?? a.callUs))
    .slice(0, Math.max(0, aroundMax - named.length));
  return [...named.slice(0, aroundMax), ...nearest]
    .sort((a, b) => a.callUs - b.callUs || a.id - b.id)
    .map((operation) => ({
      number: operation.id,
      process: operation.client,
      words: operationWords(operation),
      callAt: operation.callUs,
      returnAt: operation.outcome.kind === "unknown" ? undefined : operation.returnUs,
      place: undefined,
      isBlocked: operation.id === first.id,
    }));
}
