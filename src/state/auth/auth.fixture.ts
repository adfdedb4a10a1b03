/** For tests only: auth entries applied to a table in memory. */
import type { KvError } from "../../base/errors.js";
import { Permission_Type } from "../../wire/gen/auth.js";
import { InternalAuthenticateRequest } from "../../wire/gen/internal.js";
import {
  AuthRoleAddRequest,
  AuthRoleGrantPermissionRequest,
  AuthRoleRevokePermissionRequest,
  AuthUserAddRequest,
  AuthUserChangePasswordRequest,
  AuthUserDeleteRequest,
  AuthUserGrantRoleRequest,
  AuthUserRevokeRoleRequest,
} from "../../wire/gen/rpc.js";
import { RequestField } from "../../wire/proposal.js";
import { Rows } from "../rows.fixture.js";
import { runThrough, Work } from "../work.js";
import { applyAuth, deleteRole } from "./auth-commands.js";
import { AuthTable } from "./auth-table.js";
import type { AuthChange } from "./types.js";

type Result = AuthChange | KvError | undefined;

export const hash: string = Buffer.from("$2a$04$hash").toString("base64");

export const permissionTypes = {
  read: Permission_Type.READ,
  write: Permission_Type.WRITE,
  readwrite: Permission_Type.READWRITE,
};

/** Each method applies one entry and returns its outcome. */
export class AuthScene {
  readonly rows = new Rows();
  readonly table = new AuthTable();

  #apply(field: number, body: Uint8Array = new Uint8Array(0)): Result {
    return applyAuth(this.table, this.rows, { field, body });
  }
  enable = (): Result => this.#apply(RequestField.authEnable);
  disable = (): Result => this.#apply(RequestField.authDisable);
  authenticate = (name: string): Result =>
    this.#apply(
      RequestField.authenticate,
      InternalAuthenticateRequest.encode({ name, password: "", simple_token: "t" }).finish(),
    );
  addUser = (name: string, hashedPassword = hash, noPassword = false): Result =>
    this.#apply(
      RequestField.authUserAdd,
      AuthUserAddRequest.encode({
        ...{ name, password: "", hashedPassword },
        options: noPassword ? { no_password: true } : undefined,
      }).finish(),
    );
  deleteUser = (name: string): Result =>
    this.#apply(RequestField.authUserDelete, AuthUserDeleteRequest.encode({ name }).finish());
  changePassword = (name: string, hashedPassword = hash): Result =>
    this.#apply(
      RequestField.authUserChangePassword,
      AuthUserChangePasswordRequest.encode({ name, password: "", hashedPassword }).finish(),
    );
  grantRole = (user: string, role: string): Result =>
    this.#apply(
      RequestField.authUserGrantRole,
      AuthUserGrantRoleRequest.encode({ user, role }).finish(),
    );
  revokeRole = (name: string, role: string): Result =>
    this.#apply(
      RequestField.authUserRevokeRole,
      AuthUserRevokeRoleRequest.encode({ name, role }).finish(),
    );
  addRole = (name: string): Result =>
    this.#apply(RequestField.authRoleAdd, AuthRoleAddRequest.encode({ name }).finish());
  deleteRole = (role: string): Result =>
    runThrough(deleteRole(this.table, { w: this.rows, work: new Work(1) }, { role }));
  grant = (
    name: string,
    type: keyof typeof permissionTypes,
    [key, end]: readonly [string, string?],
  ): Result =>
    this.#apply(
      RequestField.authRoleGrantPermission,
      AuthRoleGrantPermissionRequest.encode({
        name,
        perm: {
          permType: permissionTypes[type],
          key: Buffer.from(key, "latin1"),
          range_end: Buffer.from(end ?? "", "latin1"),
        },
      }).finish(),
    );
  revoke = (role: string, [key, end]: readonly [string, string?]): Result =>
    this.#apply(
      RequestField.authRoleRevokePermission,
      AuthRoleRevokePermissionRequest.encode({
        role,
        key: Buffer.from(key, "latin1"),
        range_end: Buffer.from(end ?? "", "latin1"),
      }).finish(),
    );
}
