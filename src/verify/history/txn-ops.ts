/** The operations of a transaction, those of transactions in it included. */
import type { Op, OpAnswer, PlainAnswer, PlainOp, TxnAnswer, TxnOp } from "./types.js";

/** All operations of all branches: some of them run. */
export function possibleOps(txn: TxnOp): readonly PlainOp[] {
  return plainOps([...txn.success, ...txn.failure]);
}

/** These operations, and for each transaction among them all that it may run. */
export function plainOps(ops: readonly Op[]): readonly PlainOp[] {
  return ops.flatMap((op) => (op.kind === "txn" ? possibleOps(op) : [op]));
}

/**
 * The operations that ran, each with its answer, in order. The answer has the shape of the
 * transaction (answer-shape.ts); what has no answer is left out.
 */
export function takenOps(
  txn: TxnOp,
  answer: TxnAnswer,
): readonly (readonly [PlainOp, PlainAnswer])[] {
  const branch = answer.succeeded ? txn.success : txn.failure;
  return branch.flatMap((op, at) => {
    const part = answer.answers[at];
    if (op.kind !== "txn") return part === undefined || part.kind === "txn" ? [] : [[op, part]];
    return part?.kind === "txn" ? takenOps(op, part) : [];
  });
}

/** The answers to all plain operations, in order. */
export function plainAnswers(answers: readonly OpAnswer[]): readonly PlainAnswer[] {
  return answers.flatMap((one) => (one.kind === "txn" ? plainAnswers(one.answers) : [one]));
}
