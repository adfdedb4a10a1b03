/**
 * Writes a request as text. Two requests ask the same exactly if their texts are equal: an absent
 * field and its default give the same text. The way of sending (serializable or not) is not part of
 * it.
 */
import { unreachable } from "../../../base/invariant.js";
import type { Op, Request } from "../../history/types.js";

export function requestText(request: Request): string {
  switch (request.kind) {
    case "leaseGrant":
      return JSON.stringify([request.kind, request.id, request.ttl]);
    case "leaseRevoke":
    case "leaseKeepAlive":
      return JSON.stringify([request.kind, request.id]);
    case "compact":
      return JSON.stringify([request.kind, request.revision]);
    case "other":
      return JSON.stringify([request.kind, request.name]);
    default:
      return JSON.stringify(opParts(request));
  }
}

function opParts(op: Op): readonly unknown[] {
  switch (op.kind) {
    case "txn": {
      const compares = op.compares.map((one) => [one.key, one.target, one.result, `${one.value}`]);
      return ["txn", compares, op.success.map(opParts), op.failure.map(opParts)];
    }
    case "put":
      return ["put", op.key, op.value, op.lease ?? "0"];
    case "delete":
      return ["delete", op.key, op.end ?? ""];
    case "range": {
      const flags = [op.keysOnly === true, op.countOnly === true];
      const order = [op.sortBy ?? "key", op.descending === true];
      return ["range", op.key, op.end ?? "", op.revision ?? 0, op.limit ?? 0, ...flags, ...order];
    }
    default:
      return unreachable(op);
  }
}
