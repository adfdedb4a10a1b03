/**
 * The stored form of users and roles, as in etcd. Bucket.auth has "authEnabled" (one byte, 1 or 0)
 * and "authRevision" (8 bytes, big-endian; 1 if the row is absent). The rows of Bucket.authUsers
 * and Bucket.authRoles are keyed by the name, and hold an encoded authpb.User or authpb.Role.
 */
import { Role as RoleRow, User as UserRow } from "../../wire/gen/auth.js";
import type { Permission, RoleRecord, UserRecord } from "./types.js";

/** Bytes of the longest name: a key of the backend cannot be longer. */
export const nameBytesMax = 511;

export const enabledKey: Uint8Array = new TextEncoder().encode("authEnabled");
export const revisionKey: Uint8Array = new TextEncoder().encode("authRevision");

/** 8 bytes, big-endian. */
export function encodeAuthRevision(revision: number): Uint8Array {
  const row = new Uint8Array(8);
  new DataView(row.buffer).setBigUint64(0, BigInt(revision));
  return row;
}

export function decodeAuthRevision(row: Uint8Array): number {
  return Number(new DataView(row.buffer, row.byteOffset, row.byteLength).getBigUint64(0));
}

/** The user as an authpb.User. `decodeUser` reads it. */
export function encodeUser(user: UserRecord): Uint8Array {
  const { name, password, roles, options } = user;
  return UserRow.encode({
    name: Buffer.from(name),
    password: Buffer.from(password),
    roles: [...roles],
    options: options && { no_password: options.noPassword },
  }).finish();
}

export function decodeUser(row: Uint8Array): UserRecord {
  const { name, password, roles, options } = UserRow.decode(row);
  return {
    name: name.toString(),
    password: Uint8Array.from(password),
    roles,
    options: options && { noPassword: options.no_password },
  };
}

/** The role as an authpb.Role. `decodeRole` reads it. */
export function encodeRole(role: RoleRecord): Uint8Array {
  const keyPermission = role.permissions.map(({ type, key, rangeEnd }) => ({
    permType: type,
    key: Buffer.from(key),
    range_end: Buffer.from(rangeEnd),
  }));
  return RoleRow.encode({ name: Buffer.from(role.name), keyPermission }).finish();
}

export function decodeRole(row: Uint8Array): RoleRecord {
  const { name, keyPermission } = RoleRow.decode(row);
  const permissions = keyPermission.map(
    ({ permType, key, range_end }): Permission => ({
      type: permType,
      key: Uint8Array.from(key),
      rangeEnd: Uint8Array.from(range_end),
    }),
  );
  return { name: name.toString(), permissions };
}
