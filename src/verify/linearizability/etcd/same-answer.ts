/** Whether two answers are equal, field by field; faster than a generic comparison of objects. */
import { isSameCount, isSameLease } from "../../history/not-recorded.js";
import type { KeyValue, OperationAnswer, PlainAnswer } from "../../history/types.js";

/** Compares kinds and all fields; keys must be in the same order. */
export function isSameAnswer(left: OperationAnswer, right: OperationAnswer): boolean {
  switch (left.kind) {
    case "txn":
      return (
        right.kind === "txn" &&
        left.succeeded === right.succeeded &&
        left.answers.length === right.answers.length &&
        left.answers.every((answer, at) => {
          const other = right.answers[at];
          return other !== undefined && isSameAnswer(answer, other);
        })
      );
    case "lease":
      return right.kind === "lease" && left.id === right.id && left.ttl === right.ttl;
    case "none":
      return right.kind === "none";
    default:
      return right.kind !== "txn" && right.kind !== "lease" && right.kind !== "none"
        ? isSamePlainAnswer(left, right)
        : false;
  }
}

function isSamePlainAnswer(left: PlainAnswer, right: PlainAnswer): boolean {
  switch (left.kind) {
    case "put":
      return right.kind === "put";
    case "delete":
      return right.kind === "delete" && left.deleted === right.deleted;
    default: {
      if (right.kind !== "range" || left.count !== right.count) return false;
      if (left.kvs.length !== right.kvs.length) return false;
      for (let at = 0; at < left.kvs.length; at++) {
        if (!isSameKeyValue(left.kvs[at] as KeyValue, right.kvs[at] as KeyValue)) return false;
      }
      return true;
    }
  }
}

/** Compares all fields. */
export function isSameKeyValue(left: KeyValue, right: KeyValue): boolean {
  return (
    left === right ||
    (left.mod === right.mod &&
      isSameCount(left.version, right.version) &&
      isSameCount(left.create, right.create) &&
      left.key === right.key &&
      left.value === right.value &&
      isSameLease(left.lease, right.lease))
  );
}
