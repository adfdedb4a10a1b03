/**
 * The log entries that change users, roles and rights, in etcd's order of checks. Each command
 * checks first, so after a KvError nothing has changed. The caller's own right to send the command
 * was checked before (rights.ts).
 *
 * A password never gets here: the proposer sends its bcrypt hash, because apply must give the same
 * rows on every member.
 */
import { compareBytes, equalBytes } from "../../base/bytes.js";
import { KvError } from "../../base/errors.js";
import { InternalAuthenticateRequest } from "../../wire/gen/internal.js";
import {
  AuthRoleAddRequest,
  type AuthRoleDeleteRequest,
  AuthRoleGrantPermissionRequest,
  AuthRoleRevokePermissionRequest,
  AuthUserAddRequest,
  AuthUserChangePasswordRequest,
  AuthUserDeleteRequest,
  AuthUserGrantRoleRequest,
  AuthUserRevokeRoleRequest,
} from "../../wire/gen/rpc.js";
import { RequestField } from "../../wire/proposal.js";
import { decode } from "../requests/decode-request.js";
import type { WriteHandle } from "../types.js";
import type { Work } from "../work.js";
import { nameBytesMax } from "./auth-rows.js";
import { type AuthTable, compareNames } from "./auth-table.js";
import { isUnbounded } from "./key-ranges.js";
import { type AuthChange, type Permission, rootName } from "./types.js";

const noBytes = new Uint8Array(0);
const rights: AuthChange = { type: "rights" };

/** Undefined: not a request of this file, or the deletion of a role (`deleteRole`). */
export function applyAuth(
  table: AuthTable,
  w: WriteHandle,
  { field, body }: { readonly field: number; readonly body: Uint8Array },
): AuthChange | KvError | undefined {
  switch (field) {
    case RequestField.authEnable:
      return enable(table, w);
    case RequestField.authDisable:
      return disable(table, w);
    case RequestField.authenticate:
      return authenticate(table, decode(InternalAuthenticateRequest, body));
    case RequestField.authUserAdd:
      return addUser(table, w, decode(AuthUserAddRequest, body));
    case RequestField.authUserDelete:
      return deleteUser(table, w, decode(AuthUserDeleteRequest, body));
    case RequestField.authUserChangePassword:
      return changePassword(table, w, decode(AuthUserChangePasswordRequest, body));
    case RequestField.authUserGrantRole:
      return grantRole(table, w, decode(AuthUserGrantRoleRequest, body));
    case RequestField.authUserRevokeRole:
      return revokeRole(table, w, decode(AuthUserRevokeRoleRequest, body));
    case RequestField.authRoleAdd:
      return addRole(table, w, decode(AuthRoleAddRequest, body));
    case RequestField.authRoleGrantPermission:
      return grantPermission(table, w, decode(AuthRoleGrantPermissionRequest, body));
    case RequestField.authRoleRevokePermission:
      return revokePermission(table, w, decode(AuthRoleRevokePermissionRequest, body));
    default:
      return undefined;
  }
}

function enable(table: AuthTable, w: WriteHandle): AuthChange | KvError {
  if (table.isEnabled) return { type: "enabled" };
  const root = table.user(rootName);
  if (root === undefined) return new KvError("rootUserNotExist");
  if (!root.roles.includes(rootName)) return new KvError("rootRoleNotExist");
  table.setEnabled(w, true);
  return { type: "enabled" };
}

function disable(table: AuthTable, w: WriteHandle): AuthChange {
  if (table.isEnabled) {
    table.setEnabled(w, false);
    table.nextRevision(w);
  }
  return { type: "disabled" };
}

/** Logs a user in. The proposer has compared the password. */
function authenticate(
  table: AuthTable,
  { name, simple_token }: InternalAuthenticateRequest,
): AuthChange | KvError {
  if (!table.isEnabled) return new KvError("authNotEnabled");
  const user = table.user(name);
  if (user === undefined || user.options?.noPassword === true) return new KvError("authFailed");
  return {
    type: "authenticated",
    user: name,
    simpleToken: simple_token,
    authRevision: table.revision,
  };
}

function addUser(
  table: AuthTable,
  w: WriteHandle,
  request: AuthUserAddRequest,
): AuthChange | KvError {
  const { name } = request;
  if (name === "") return new KvError("userEmpty");
  if (table.user(name) !== undefined) return new KvError("userExists");
  if (isTooLong(name)) return new KvError("nameTooLong");
  const noPassword = request.options?.no_password ?? false;
  const password = noPassword ? noBytes : decodeHash(request.hashedPassword);
  if (password === undefined) return new KvError("noPasswordUser");
  table.putUser(w, { name, password, roles: [], options: { noPassword } });
  table.nextRevision(w);
  return rights;
}

function deleteUser(
  table: AuthTable,
  w: WriteHandle,
  { name }: AuthUserDeleteRequest,
): AuthChange | KvError {
  if (table.isEnabled && name === rootName) return new KvError("invalidAuthMgmt");
  if (table.user(name) === undefined) return new KvError("userNotFound");
  table.deleteUser(w, name);
  table.nextRevision(w);
  return { type: "userEnded", user: name };
}

function changePassword(
  table: AuthTable,
  w: WriteHandle,
  { name, hashedPassword }: AuthUserChangePasswordRequest,
): AuthChange | KvError {
  const user = table.user(name);
  if (user === undefined) return new KvError("userNotFound");
  const password = user.options?.noPassword === true ? noBytes : decodeHash(hashedPassword);
  if (password === undefined) return new KvError("noPasswordUser");
  table.putUser(w, { ...user, password });
  table.nextRevision(w);
  return { type: "userEnded", user: name };
}

function grantRole(
  table: AuthTable,
  w: WriteHandle,
  request: AuthUserGrantRoleRequest,
): AuthChange | KvError {
  const user = table.user(request.user);
  if (user === undefined) return new KvError("userNotFound");
  // The role root may be granted without existing.
  if (request.role !== rootName && table.role(request.role) === undefined) {
    return new KvError("roleNotFound");
  }
  if (user.roles.includes(request.role)) return rights;
  table.putUser(w, { ...user, roles: [...user.roles, request.role].sort(compareNames) });
  table.nextRevision(w);
  return rights;
}

function revokeRole(
  table: AuthTable,
  w: WriteHandle,
  { name, role }: AuthUserRevokeRoleRequest,
): AuthChange | KvError {
  if (table.isEnabled && name === rootName && role === rootName) {
    return new KvError("invalidAuthMgmt");
  }
  const user = table.user(name);
  if (user === undefined) return new KvError("userNotFound");
  if (!user.roles.includes(role)) return new KvError("roleNotGranted");
  table.putUser(w, { ...user, roles: user.roles.filter((granted) => granted !== role) });
  table.nextRevision(w);
  return rights;
}

function addRole(
  table: AuthTable,
  w: WriteHandle,
  { name }: AuthRoleAddRequest,
): AuthChange | KvError {
  if (name === "") return new KvError("roleEmpty");
  if (table.role(name) !== undefined) return new KvError("roleExists");
  if (isTooLong(name)) return new KvError("nameTooLong");
  table.putRole(w, { name, permissions: [] });
  table.nextRevision(w);
  return rights;
}

/**
 * Deletes a role and takes it from all its users, with pauses: there may be very many. Nobody sees a
 * part of that.
 */
export function* deleteRole(
  table: AuthTable,
  { w, work }: { readonly w: WriteHandle; readonly work: Work },
  { role }: Pick<AuthRoleDeleteRequest, "role">,
): Generator<undefined, AuthChange | KvError> {
  if (table.isEnabled && role === rootName) return new KvError("invalidAuthMgmt");
  if (table.role(role) === undefined) return new KvError("roleNotFound");
  yield* table.deleteRole(w, role, work);
  table.nextRevision(w);
  return rights;
}

/**
 * A permission for the same range gets the new type. As in etcd, only the first permission of a key
 * is compared, so a second range from the same key may stand twice.
 */
function grantPermission(
  table: AuthTable,
  w: WriteHandle,
  { name, perm }: AuthRoleGrantPermissionRequest,
): AuthChange | KvError {
  if (perm === undefined) return new KvError("permissionNotGiven");
  const { key, range_end: rangeEnd, permType: type } = perm;
  if (!isValidRange(key, rangeEnd)) return new KvError("invalidAuthMgmt");
  const role = table.role(name);
  if (role === undefined) return new KvError("roleNotFound");
  const granted: Permission = {
    type,
    key: Uint8Array.from(key),
    rangeEnd: Uint8Array.from(rangeEnd),
  };
  const permissions = [...role.permissions];
  const first = permissions.findIndex((known) => compareBytes(known.key, key) >= 0);
  const known = permissions[first];
  if (known !== undefined && isSameRange(known, granted)) permissions[first] = granted;
  else {
    const after = permissions.findIndex((other) => compareBytes(other.key, key) > 0);
    permissions.splice(after < 0 ? permissions.length : after, 0, granted);
  }
  table.putRole(w, { name, permissions });
  table.nextRevision(w);
  return rights;
}

function revokePermission(
  table: AuthTable,
  w: WriteHandle,
  request: AuthRoleRevokePermissionRequest,
): AuthChange | KvError {
  const role = table.role(request.role);
  if (role === undefined) return new KvError("roleNotFound");
  const revoked = { key: request.key, rangeEnd: request.range_end };
  const permissions = role.permissions.filter((known) => !isSameRange(known, revoked));
  if (permissions.length === role.permissions.length) return new KvError("permissionNotGranted");
  table.putRole(w, { ...role, permissions });
  table.nextRevision(w);
  return rights;
}

function isSameRange(
  a: Pick<Permission, "key" | "rangeEnd">,
  b: Pick<Permission, "key" | "rangeEnd">,
): boolean {
  return equalBytes(a.key, b.key) && equalBytes(a.rangeEnd, b.rangeEnd);
}

function isValidRange(key: Uint8Array, rangeEnd: Uint8Array): boolean {
  if (key.length === 0) return false;
  return rangeEnd.length === 0 || isUnbounded(rangeEnd) || compareBytes(key, rangeEnd) < 0;
}

function isTooLong(name: string): boolean {
  return Buffer.byteLength(name) > nameBytesMax;
}

/** Decodes base64 with padding, strictly. Undefined: the text is no base64. */
function decodeHash(text: string): Uint8Array | undefined {
  const isBase64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text);
  return isBase64 ? Uint8Array.from(Buffer.from(text, "base64")) : undefined;
}
