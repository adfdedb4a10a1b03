/**
 * The Auth service of a store without users. Authenticate fails with the text by which clients know
 * that they need no token. Every other method is not implemented.
 */
import { Code } from "../base/errors.js";
import type { Method } from "../grpc/call.js";

const service = "/etcdserverpb.Auth/";
const names = [
  "AuthEnable",
  "AuthDisable",
  "AuthStatus",
  "UserAdd",
  "UserGet",
  "UserList",
  "UserDelete",
  "UserChangePassword",
  "UserGrantRole",
  "UserRevokeRole",
  "RoleAdd",
  "RoleGet",
  "RoleList",
  "RoleDelete",
  "RoleGrantPermission",
  "RoleRevokePermission",
];

export function authMethods(): Method[] {
  const refusing = (name: string, code: Code, message: string): Method => ({
    path: service + name,
    kind: "unary",
    handle: (_, call) => call.fail({ code, message }),
  });
  const disabled = "etcdserver: authentication is not enabled";
  return [
    refusing("Authenticate", Code.failedPrecondition, disabled),
    ...names.map((name) => refusing(name, Code.unimplemented, "authentication is not supported")),
  ];
}
