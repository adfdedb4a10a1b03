/** What root asks of the Auth service: once to found the users of a world, then to change them. */
import { errorTable } from "../../../base/errors.js";
import {
  AuthDisableRequest,
  AuthEnableRequest,
  AuthRoleAddRequest,
  AuthRoleDeleteRequest,
  AuthRoleGrantPermissionRequest,
  AuthRoleRevokePermissionRequest,
  AuthUserAddRequest,
  AuthUserChangePasswordRequest,
  AuthUserDeleteRequest,
  AuthUserGrantRoleRequest,
  AuthUserRevokeRoleRequest,
} from "../../../wire/gen/rpc.js";
import { usersOfWorld } from "../plan/action-kinds.js";
import type { Span, UserAction } from "../plan/plan.js";
import { bytesOf } from "./client-calls.js";
import { rangeOf } from "./user-ranges.js";

/** The path of the Auth service; methods follow it. */
export const authService = "/etcdserverpb.Auth/";

export interface AuthCall {
  readonly method: string;
  readonly body: Uint8Array;
  /** True for a refusal that says that the change is there already, or cannot be. */
  isDone(refusal: string): boolean;
}

type Manage = Extract<UserAction, { readonly kind: "manage" }>;

/** Refusals after which a call need not be made again. */
const final = new Set<string>(
  (
    [
      ...(["userExists", "userNotFound", "roleExists", "roleNotFound", "roleNotGranted"] as const),
      ...(["permissionNotGranted", "invalidAuthMgmt"] as const),
    ] as const
  ).map((reason) => errorTable[reason][1]),
);

const spans: readonly Span[] = ["one", "few", "from"];

/** Each user has one role of its own, and each role another part of the keys. */
export function foundingCalls(): readonly AuthCall[] {
  const calls = [addUser("root"), grantRole("root", "root")];
  for (let at = 0; at < usersOfWorld; at++) {
    const [user, role] = [`u${at}`, `r${at}`];
    calls.push(addUser(user), addRole(role), grantRole(user, role));
    calls.push(grant(role, { ...firstGrant(at), right: "both" }));
  }
  return [...calls, enable];
}

function firstGrant(role: number): Pick<Granted, "key" | "span"> {
  return { key: role, span: spans[role] ?? "one" };
}

/** An even `draw` means the range that the role had first: so grants and revocations meet. */
export function manageCalls(drawn: Manage, draw: number): readonly AuthCall[] {
  const action = draw % 2 === 0 ? { ...drawn, ...firstGrant(drawn.role) } : drawn;
  const [user, role] = [`u${action.user}`, `r${action.role}`];
  switch (action.what) {
    case "grant":
      return [grant(role, action)];
    case "revoke":
      return [revoke(role, action)];
    case "grantRole":
      return [grantRole(user, role)];
    case "revokeRole":
      return [revokeRole(user, role)];
    case "password":
      return [changePassword(user)];
    case "toggle":
      return [disable, enable];
    case "replaceRole":
      return [
        call("RoleDelete", AuthRoleDeleteRequest.encode({ role })),
        addRole(role),
        grant(role, action),
        grantRole(user, role),
      ];
    case "replaceUser":
      return [
        call("UserDelete", AuthUserDeleteRequest.encode({ name: user })),
        addUser(user),
        grantRole(user, role),
      ];
  }
}

interface Encoder {
  finish(): Uint8Array;
}

function call(method: string, message: Encoder): AuthCall {
  return { method, body: message.finish(), isDone: (refusal) => final.has(refusal) };
}

const enable = call("AuthEnable", AuthEnableRequest.encode({}));
const disable = call("AuthDisable", AuthDisableRequest.encode({}));

function addUser(name: string): AuthCall {
  const request = { name, password: name, options: { no_password: false }, hashedPassword: "" };
  return call("UserAdd", AuthUserAddRequest.encode(request));
}

function changePassword(name: string): AuthCall {
  const request = { name, password: name, hashedPassword: "" };
  return call("UserChangePassword", AuthUserChangePasswordRequest.encode(request));
}

function addRole(name: string): AuthCall {
  return call("RoleAdd", AuthRoleAddRequest.encode({ name }));
}

function grantRole(user: string, role: string): AuthCall {
  return call("UserGrantRole", AuthUserGrantRoleRequest.encode({ user, role }));
}

function revokeRole(name: string, role: string): AuthCall {
  return call("UserRevokeRole", AuthUserRevokeRoleRequest.encode({ name, role }));
}

type Granted = Pick<Manage, "key" | "span" | "right">;

function grant(name: string, { key, span, right }: Granted): AuthCall {
  const range = rangeOf(key, span);
  const perm = {
    permType: ["read", "write", "both"].indexOf(right),
    key: bytesOf(range.key),
    range_end: bytesOf(range.end ?? ""),
  };
  return call("RoleGrantPermission", AuthRoleGrantPermissionRequest.encode({ name, perm }));
}

function revoke(role: string, { key, span }: Granted): AuthCall {
  const range = rangeOf(key, span);
  const request = { role, key: bytesOf(range.key), range_end: bytesOf(range.end ?? "") };
  return call("RoleRevokePermission", AuthRoleRevokePermissionRequest.encode(request));
}
