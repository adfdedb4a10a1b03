/** The RPCs of etcd's Auth service. */
import * as rpc from "../../../wire/gen/rpc.js";
import type { ClientMethod } from "../method.js";

function method<Q, R>(
  name: string,
  request: ClientMethod<Q, R>["request"],
  response: ClientMethod<Q, R>["response"],
): ClientMethod<Q, R> {
  return { path: `/etcdserverpb.Auth/${name}`, request, response };
}

export const authClientMethods = {
  authenticate: method("Authenticate", rpc.AuthenticateRequest, rpc.AuthenticateResponse),
  enable: method("AuthEnable", rpc.AuthEnableRequest, rpc.AuthEnableResponse),
  disable: method("AuthDisable", rpc.AuthDisableRequest, rpc.AuthDisableResponse),
  status: method("AuthStatus", rpc.AuthStatusRequest, rpc.AuthStatusResponse),
  userAdd: method("UserAdd", rpc.AuthUserAddRequest, rpc.AuthUserAddResponse),
  userGet: method("UserGet", rpc.AuthUserGetRequest, rpc.AuthUserGetResponse),
  userList: method("UserList", rpc.AuthUserListRequest, rpc.AuthUserListResponse),
  userDelete: method("UserDelete", rpc.AuthUserDeleteRequest, rpc.AuthUserDeleteResponse),
  userPasswd: method(
    "UserChangePassword",
    rpc.AuthUserChangePasswordRequest,
    rpc.AuthUserChangePasswordResponse,
  ),
  userGrantRole: method(
    "UserGrantRole",
    rpc.AuthUserGrantRoleRequest,
    rpc.AuthUserGrantRoleResponse,
  ),
  userRevokeRole: method(
    "UserRevokeRole",
    rpc.AuthUserRevokeRoleRequest,
    rpc.AuthUserRevokeRoleResponse,
  ),
  roleAdd: method("RoleAdd", rpc.AuthRoleAddRequest, rpc.AuthRoleAddResponse),
  roleGet: method("RoleGet", rpc.AuthRoleGetRequest, rpc.AuthRoleGetResponse),
  roleList: method("RoleList", rpc.AuthRoleListRequest, rpc.AuthRoleListResponse),
  roleDelete: method("RoleDelete", rpc.AuthRoleDeleteRequest, rpc.AuthRoleDeleteResponse),
  roleGrant: method(
    "RoleGrantPermission",
    rpc.AuthRoleGrantPermissionRequest,
    rpc.AuthRoleGrantPermissionResponse,
  ),
  roleRevoke: method(
    "RoleRevokePermission",
    rpc.AuthRoleRevokePermissionRequest,
    rpc.AuthRoleRevokePermissionResponse,
  ),
} as const;
