/**
 * The Auth service of a store without users. Authenticate fails with the text by which clients know
 * that they need no token. Every other method is not implemented.
 */
import type { Method, UnaryCall } from "../grpc/call.js";
import type { Member } from "../member/types.js";
import { serve } from "./serve.js";
import { authNotEnabled, authNotSupported, refuse } from "./status.js";

export function authMethods(member: Member): Method[] {
  const unsupported = (_: Uint8Array, call: UnaryCall): void => refuse(call, authNotSupported);
  return serve(member, "etcdserverpb.Auth", {
    Authenticate: (_, call) => refuse(call, authNotEnabled),
    AuthEnable: unsupported,
    AuthDisable: unsupported,
    AuthStatus: unsupported,
    UserAdd: unsupported,
    UserGet: unsupported,
    UserList: unsupported,
    UserDelete: unsupported,
    UserChangePassword: unsupported,
    UserGrantRole: unsupported,
    UserRevokeRole: unsupported,
    RoleAdd: unsupported,
    RoleGet: unsupported,
    RoleList: unsupported,
    RoleDelete: unsupported,
    RoleGrantPermission: unsupported,
    RoleRevokePermission: unsupported,
  });
}
