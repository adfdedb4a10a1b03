/**
 * Whether an answer fits its request in any state: as many parts as the request has, of the same
 * kinds, and no more keys than the limit.
 */
import type { Op, OpAnswer, Operation, Request, TxnAnswer, TxnOp } from "../../history/types.js";
import { isAnswered, isLocalRead } from "./entry-claims.js";
import { type CheckFailure, describeOperation } from "./verdict.js";

/** The watch rules judge local reads. */
export function misshapen(operations: readonly Operation[]): CheckFailure | undefined {
  const answered = operations.filter(isAnswered).filter((one) => !isLocalRead(one));
  const bad = answered.find(({ request, outcome }) => {
    if (request.kind === "leaseGrant") return !isGranted(request, outcome.answer);
    if (request.kind === "range" || request.kind === "delete" || request.kind === "put") {
      return outcome.answer.kind !== request.kind || !isShaped(request, outcome.answer);
    }
    if (request.kind !== "txn") return false;
    return outcome.answer.kind !== "txn" || !isShapedTxn(request, outcome.answer);
  });
  if (bad === undefined) return undefined;
  const text = `${describeOperation(bad)} has an answer that does not fit the request`;
  return { reason: "wrong-answer", text, operations: [bad] };
}

type Answer = Extract<Operation["outcome"], { readonly kind: "ok" }>["answer"];

/** The server chooses the id only if the request asks for it, and may only extend the time. */
function isGranted(
  { id, ttl }: Extract<Request, { readonly kind: "leaseGrant" }>,
  answer: Answer,
): boolean {
  return answer.kind === "lease" && (id === "0" || answer.id === id) && answer.ttl >= ttl;
}

function isShapedTxn(request: TxnOp, answer: TxnAnswer): boolean {
  const ops = answer.succeeded ? request.success : request.failure;
  if (ops.length !== answer.answers.length) return false;
  return ops.every((op, at) => isShaped(op, answer.answers[at] as OpAnswer));
}

function isShaped(op: Op, answer: OpAnswer): boolean {
  if (op.kind === "txn") return answer.kind === "txn" && isShapedTxn(op, answer);
  if (op.kind !== answer.kind) return false;
  if (op.kind !== "range" || answer.kind !== "range") return true;
  if (op.countOnly === true) return answer.kvs.length === 0;
  const limit = (op.limit ?? 0) > 0 ? (op.limit as number) : Number.POSITIVE_INFINITY;
  return answer.kvs.length === Math.min(limit, answer.count);
}
