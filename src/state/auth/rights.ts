/**
 * Decides whether a caller may do something, by etcd's rules. The same functions serve requests
 * that are answered from the state and entries that are being applied, so both agree. While auth is
 * off, everything is allowed.
 *
 * Each check that applies comes in etcd's order: no user, an old auth revision, then the right
 * itself. The functions return the refusal; undefined: allowed.
 */
import { KvError } from "../../base/errors.js";
import type { RequestOp, TxnRequest } from "../../wire/gen/rpc.js";
import { type Caller, RequestField } from "../../wire/proposal.js";
import type { LeaseReader } from "../types.js";
import type { AuthReader, Rights } from "./types.js";

/** The tables that a decision reads. */
export interface RightsTables {
  readonly auth: AuthReader;
  readonly leases: Pick<LeaseReader, "hasKeys" | "areKeysIn">;
}

const justKey = new Uint8Array(0);

/**
 * Checks a request that only root may send. As in etcd, this does not look at the auth revision.
 */
export function adminRefusal(auth: AuthReader, { username }: Caller): KvError | undefined {
  if (!auth.isEnabled) return undefined;
  if (username === "") return new KvError("userEmpty");
  const rights = auth.rights(username);
  if (rights === undefined) return new KvError("userNotFound");
  return rights.isRoot ? undefined : new KvError("permissionDenied");
}

/** Checks a request that any user may send. */
export function userRefusal(auth: AuthReader, { username }: Caller): KvError | undefined {
  return auth.isEnabled && username === "" ? new KvError("userEmpty") : undefined;
}

/** Checks a read of a range of keys. */
export function rangeRefusal(
  auth: AuthReader,
  caller: Caller,
  request: { readonly key: Uint8Array; readonly range_end: Uint8Array },
): KvError | undefined {
  return keysRefusal(auth, caller, request, "read");
}

/** Deleting needs the right to write, and to read as well if the old values are asked for. */
export function deleteRefusal(
  auth: AuthReader,
  caller: Caller,
  request: {
    readonly key: Uint8Array;
    readonly range_end: Uint8Array;
    readonly prev_kv: boolean;
  },
): KvError | undefined {
  const refusal = keysRefusal(auth, caller, request, "write");
  if (refusal !== undefined || !request.prev_kv) return refusal;
  return keysRefusal(auth, caller, request, "read");
}

/**
 * A put with a lease needs the right to write all keys of that lease. Otherwise a user could attach
 * a key to a lease that the user may not revoke.
 */
export function putRefusal(
  { auth, leases }: RightsTables,
  caller: Caller,
  put: { readonly key: Uint8Array; readonly lease: bigint; readonly prev_kv: boolean },
): KvError | undefined {
  if (!auth.isEnabled) return undefined;
  const target = { key: put.key, range_end: justKey };
  const refusal =
    keysRefusal(auth, caller, target, "write") ??
    (put.lease === 0n ? undefined : leaseWriteRefusal({ auth, leases }, caller, put.lease));
  if (refusal !== undefined || !put.prev_kv) return refusal;
  return keysRefusal(auth, caller, target, "read");
}

/** Checks whether the caller may renew or revoke a lease, or attach a key to it. */
export function leaseWriteRefusal(
  tables: RightsTables,
  caller: Caller,
  lease: bigint,
): KvError | undefined {
  return leaseRefusal(tables, caller, lease, "write");
}

/** Checks whether the caller may learn the keys of a lease. */
export function leaseReadRefusal(
  tables: RightsTables,
  caller: Caller,
  lease: bigint,
): KvError | undefined {
  return leaseRefusal(tables, caller, lease, "read");
}

function leaseRefusal(
  { auth, leases }: RightsTables,
  caller: Caller,
  lease: bigint,
  right: "read" | "write",
): KvError | undefined {
  if (adminRefusal(auth, caller) === undefined || !leases.hasKeys(lease)) return undefined;
  const rights = rightsOf(auth, caller);
  if (rights instanceof KvError) return rights;
  return leases.areKeysIn(lease, rights[right]) ? undefined : new KvError("permissionDenied");
}

/** Checks a transaction. Both branches count, and each compare needs the right to read. */
export function txnRefusal(
  tables: RightsTables,
  caller: Caller,
  txn: TxnRequest,
): KvError | undefined {
  if (!tables.auth.isEnabled) return undefined;
  for (const compare of txn.compare) {
    const refusal = rangeRefusal(tables.auth, caller, compare);
    if (refusal !== undefined) return refusal;
  }
  return opsRefusal(tables, caller, txn.success) ?? opsRefusal(tables, caller, txn.failure);
}

function opsRefusal(
  tables: RightsTables,
  caller: Caller,
  ops: readonly RequestOp[],
): KvError | undefined {
  for (const { request } of ops) {
    const refusal = opRefusal(tables, caller, request);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

function opRefusal(
  tables: RightsTables,
  caller: Caller,
  op: RequestOp["request"],
): KvError | undefined {
  switch (op?.$case) {
    case "request_range":
      return rangeRefusal(tables.auth, caller, op.value);
    case "request_put":
      return putRefusal(tables, caller, op.value);
    case "request_delete_range":
      return deleteRefusal(tables.auth, caller, op.value);
    case "request_txn":
      return txnRefusal(tables, caller, op.value);
    default:
      return undefined;
  }
}

function keysRefusal(
  auth: AuthReader,
  caller: Caller,
  { key, range_end: rangeEnd }: { readonly key: Uint8Array; readonly range_end: Uint8Array },
  right: "read" | "write",
): KvError | undefined {
  if (!auth.isEnabled) return undefined;
  const rights = rightsOf(auth, caller);
  if (rights instanceof KvError) return rights;
  if (rights.isRoot || rights[right].holds(key, rangeEnd)) return undefined;
  return new KvError("permissionDenied");
}

/** The rights to keys, while auth is on. */
function rightsOf(auth: AuthReader, { username, authRevision }: Caller): Rights | KvError {
  if (authRevision === 0) return new KvError("userEmpty");
  if (authRevision < auth.revision) return new KvError("authOldRevision");
  return auth.rights(username) ?? new KvError("permissionDenied");
}

/** True for log entries that only root may cause, whatever they contain. */
export function needsAdmin(field: number): boolean {
  const isAuth = field >= RequestField.authEnable && field <= RequestField.authRoleRevokePermission;
  return isAuth && field !== RequestField.authenticate;
}
