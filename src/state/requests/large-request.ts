/**
 * The requests that may change or read many rows: the deletion of a range, a transaction, the end
 * of a lease, the deletion of a role. They are executed with pauses (work.ts); machine.ts still makes one entry of each.
 */
import { type ErrorReason, KvError } from "../../base/errors.js";
import {
  AuthRoleDeleteRequest,
  DeleteRangeRequest,
  LeaseRevokeRequest,
  TxnRequest,
} from "../../wire/gen/rpc.js";
import type { OpenedRequest } from "../../wire/internal-request.js";
import { RequestField } from "../../wire/proposal.js";
import type { AlarmSet } from "../alarm/alarm-set.js";
import { deleteRole } from "../auth/auth-commands.js";
import type { AuthTable } from "../auth/auth-table.js";
import { adminRefusal, deleteRefusal, leaseWriteRefusal, txnRefusal } from "../auth/rights.js";
import type { EntryWrite } from "../entry-write.js";
import type { LeaseTable } from "../lease/lease-table.js";
import type { KvWriter } from "../mvcc/kv-writer.js";
import { applyDelete, applyTxn, mayPut, type Way } from "../mvcc/txn.js";
import type { Outcome } from "../types.js";
import { decode } from "./decode-request.js";

interface EntryParts {
  readonly w: EntryWrite;
  readonly writer: KvWriter;
  readonly way: Way;
}
export type LargeRequest = (parts: EntryParts) => Generator<undefined, Outcome | KvError>;

/** Undefined for any other request. */
export function largeRequest(
  request: OpenedRequest,
  tables: {
    readonly leases: LeaseTable;
    readonly alarms: AlarmSet;
    readonly auth: AuthTable;
  },
): LargeRequest | undefined {
  const { leases, alarms, auth } = tables;
  const { field, body } = request;
  switch (field) {
    case RequestField.deleteRange: {
      const deletion = decode(DeleteRangeRequest, body);
      if (alarms.isClusterCorrupt()) return refused("corrupt");
      const refusal = deleteRefusal(auth, request, deletion);
      if (refusal !== undefined) return refused(refusal.reason);
      return ({ writer, way }) => applyDelete(writer, deletion, way);
    }
    case RequestField.txn: {
      const txn = decode(TxnRequest, body);
      if (alarms.isClusterCorrupt()) return refused("corrupt");
      // As in etcd: while any member is out of space, only requests that can free it are applied.
      if (alarms.has("NOSPACE") && mayPut(txn)) return refused("noSpace");
      const refusal = txnRefusal(tables, request, txn);
      if (refusal !== undefined) return refused(refusal.reason);
      return ({ writer, way }) => applyTxn(writer, leases, txn, way);
    }
    case RequestField.leaseRevoke: {
      const id = decode(LeaseRevokeRequest, body).ID;
      if (alarms.isClusterCorrupt()) return refused("corrupt");
      const refusal = leaseWriteRefusal(tables, request, id);
      if (refusal !== undefined) return refused(refusal.reason);
      return (parts) => revoke(leases, id, parts);
    }
    case RequestField.authRoleDelete: {
      const deletion = decode(AuthRoleDeleteRequest, body);
      const refusal = adminRefusal(auth, request);
      if (refusal !== undefined) return refused(refusal.reason);
      return (parts) => withoutRole(auth, deletion, parts);
    }
    default:
      return undefined;
  }
}

function* withoutRole(
  auth: AuthTable,
  deletion: AuthRoleDeleteRequest,
  { w, way: { work } }: EntryParts,
): Generator<undefined, Outcome | KvError> {
  const change = yield* deleteRole(auth, { w, work }, deletion);
  return change instanceof KvError ? change : { kind: "auth", change };
}

function* revoke(
  leases: LeaseTable,
  id: bigint,
  { w, writer, way: { work } }: EntryParts,
): Generator<undefined, Outcome | KvError> {
  const keys = yield* leases.doomedKeys(id, work);
  if (keys instanceof KvError) return keys;
  yield* writer.deleteOfLease(keys, work);
  leases.revoke(w, id);
  return { kind: "leaseRevoke", id };
}

function refused(reason: ErrorReason): LargeRequest {
  // biome-ignore lint/correctness/useYield: it has nothing to do
  return function* () {
    return new KvError(reason);
  };
}
