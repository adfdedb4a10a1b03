/** The shapes of the records of types.ts, and what must hold between the fields of one record. */
import {
  anyText,
  byKind,
  bytesText,
  count,
  decimalText,
  either,
  flag,
  listOf,
  oneOf,
  record,
  type Shape,
  whole,
} from "./json-shape.js";
import type { OpAnswer, Operation, OperationAnswer, Request, TxnAnswer, TxnOp } from "./types.js";

const kind = anyText;
const keyRange = { key: bytesText };
const keyRangeEnd = { end: bytesText };

const rangeFields = {
  revision: whole,
  limit: whole,
  keysOnly: flag,
  countOnly: flag,
  sortBy: oneOf("key", "version", "create", "mod", "value"),
  descending: flag,
  ...keyRangeEnd,
};
const putRequired = { kind, key: bytesText, value: bytesText };
const ops = (more: Readonly<Record<string, Shape>>) => ({
  range: record({ kind, ...keyRange }, { ...rangeFields, ...more }),
  put: record(putRequired, { lease: decimalText, ...more }),
  delete: record({ kind, ...keyRange }, { ...keyRangeEnd, ...more }),
});
/** A transaction may hold others. */
const op: Shape = (value, path) => byKind({ ...ops({}), txn })(value, path);

const compare = record({
  key: bytesText,
  target: oneOf("version", "create", "mod", "value", "lease"),
  result: oneOf("=", "!=", "<", ">"),
  value: either(whole, bytesText),
});

const txn = record({ kind, compares: listOf(compare), success: listOf(op), failure: listOf(op) });

const request = byKind({
  ...ops({ serializable: flag }),
  txn,
  leaseGrant: record({ kind, id: decimalText, ttl: whole }),
  leaseRevoke: record({ kind, id: decimalText }),
  leaseKeepAlive: record({ kind, id: decimalText }),
  compact: record({ kind, revision: whole }),
  other: record({ kind, name: anyText }),
});

const kvFields = { key: bytesText, value: bytesText, create: count, mod: count, version: count };
const keyValue = record(kvFields, { lease: decimalText });

const opAnswers = {
  range: record({ kind, kvs: listOf(keyValue), count }),
  put: record({ kind }),
  delete: record({ kind, deleted: count }),
};
const opAnswer: Shape = (value, path) => byKind({ ...opAnswers, txn: txnAnswer })(value, path);
const txnAnswer = record({ kind, succeeded: flag, answers: listOf(opAnswer) });
const answer = byKind({
  ...{ ...opAnswers, txn: txnAnswer },
  lease: record({ kind, id: decimalText, ttl: whole }),
  none: record({ kind }),
});

const outcome = byKind({
  ok: record({ kind, revision: count, answer }),
  refused: record({ kind, error: anyText }),
  unknown: record({ kind, error: anyText }),
});

/** The shape of a line `{"op": ...}` of the file. */
export const operationShape = record(
  { id: whole, client: whole, member: anyText, callUs: whole, request, outcome },
  { returnUs: whole },
);

const watchEvent = record(
  { type: oneOf("put", "delete"), ...kvFields },
  { lease: decimalText, prev: keyValue },
);
const watchResponse = record(
  { atUs: whole, revision: count, events: listOf(watchEvent) },
  { created: flag, canceled: flag, compactRevision: count, fragment: flag },
);
/** The shape of a line `{"watch": ...}`. */
export const watchShape = record({
  id: whole,
  client: whole,
  member: anyText,
  callUs: whole,
  range: record(keyRange, keyRangeEnd),
  revision: whole,
  prevKv: flag,
  progressNotify: flag,
  filters: listOf(oneOf("put", "delete")),
  responses: listOf(watchResponse),
});

/** The shape of a line `{"mark": ...}`. */
export const markShape = record(
  { atUs: whole, kind: oneOf("fault", "heal", "leader", "violation", "note"), text: anyText },
  { member: anyText },
);

/** What contradicts itself inside an operation of the right shape. Undefined: nothing does. */
export function contradictionOf(operation: Operation): string | undefined {
  const { callUs, returnUs, request: asked, outcome: end } = operation;
  if (returnUs === undefined && end.kind !== "unknown") {
    return "op.returnUs is missing, though the outcome is known";
  }
  if (returnUs !== undefined && returnUs < callUs) return "op.returnUs is before op.callUs";
  if (end.kind !== "ok" || isAnswerTo(asked, end.answer)) return undefined;
  return `op.outcome.answer (${end.answer.kind}) is no answer to a request of kind ${asked.kind}`;
}

function isAnswerToTxn(asked: TxnOp, { succeeded, answers }: TxnAnswer): boolean {
  const branch = succeeded ? asked.success : asked.failure;
  return (
    branch.length === answers.length &&
    branch.every((one, at) => isAnswerTo(one, answers[at] as OpAnswer))
  );
}

function isAnswerTo(asked: Request, given: OperationAnswer): boolean {
  switch (asked.kind) {
    case "txn":
      return given.kind === "txn" && isAnswerToTxn(asked, given);
    case "leaseGrant":
    case "leaseKeepAlive":
      return given.kind === "lease";
    case "leaseRevoke":
    case "compact":
    case "other":
      return given.kind === "none";
    default:
      return given.kind === asked.kind;
  }
}
