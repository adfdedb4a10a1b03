/**
 * The Auth service. Changes of users, roles and rights go through the log, and the log's entry
 * checks the caller again. Reads wait for a read barrier. A password leaves this file as a bcrypt
 * hash, made on a thread of its own.
 */
import type { Done } from "../base/done.js";
import { KvError } from "../base/errors.js";
import type { Method, UnaryCall } from "../grpc/call.js";
import type { Member } from "../member/types.js";
import { adminRefusal } from "../state/auth/rights.js";
import { type RoleRecord, rootName } from "../state/auth/types.js";
import type { Applied } from "../state/types.js";
import { Permission_Type } from "../wire/gen/auth.js";
import {
  AuthDisableRequest,
  AuthDisableResponse,
  AuthEnableRequest,
  AuthEnableResponse,
  AuthenticateRequest,
  AuthenticateResponse,
  AuthRoleAddRequest,
  AuthRoleAddResponse,
  AuthRoleDeleteRequest,
  AuthRoleDeleteResponse,
  AuthRoleGetRequest,
  AuthRoleGetResponse,
  AuthRoleGrantPermissionRequest,
  AuthRoleGrantPermissionResponse,
  AuthRoleListRequest,
  AuthRoleListResponse,
  AuthRoleRevokePermissionRequest,
  AuthRoleRevokePermissionResponse,
  AuthStatusRequest,
  AuthStatusResponse,
  AuthUserAddRequest,
  AuthUserAddResponse,
  AuthUserChangePasswordRequest,
  AuthUserChangePasswordResponse,
  AuthUserDeleteRequest,
  AuthUserDeleteResponse,
  AuthUserGetRequest,
  AuthUserGetResponse,
  AuthUserGrantRoleRequest,
  AuthUserGrantRoleResponse,
  AuthUserListRequest,
  AuthUserListResponse,
  AuthUserRevokeRoleRequest,
  AuthUserRevokeRoleResponse,
  type ResponseHeader,
} from "../wire/gen/rpc.js";
import { type Caller, RequestField } from "../wire/proposal.js";
import { withCaller, withCurrentRoot, withWriter } from "./caller.js";
import { owned } from "./owned.js";
import { serve } from "./serve.js";
import { decodeFor, headerOf, refuse } from "./status.js";

const service = "etcdserverpb.Auth";

/** The answer of most RPCs: a header only. */
interface HeaderAnswer {
  encode(message: { header: ResponseHeader | undefined }): { finish(): Uint8Array };
}

type ReadingName = "AuthStatus" | "UserGet" | "UserList" | "RoleGet" | "RoleList";
interface Change {
  readonly rpc: keyof typeof changes | "UserAdd" | "UserChangePassword";
  readonly field: RequestField;
  readonly body: Uint8Array;
  readonly caller: Caller;
}

/** The RPCs whose message is the entry of the log. */
const changes = {
  AuthEnable: [AuthEnableRequest, AuthEnableResponse, RequestField.authEnable],
  AuthDisable: [AuthDisableRequest, AuthDisableResponse, RequestField.authDisable],
  UserDelete: [AuthUserDeleteRequest, AuthUserDeleteResponse, RequestField.authUserDelete],
  UserGrantRole: [
    AuthUserGrantRoleRequest,
    AuthUserGrantRoleResponse,
    RequestField.authUserGrantRole,
  ],
  UserRevokeRole: [
    AuthUserRevokeRoleRequest,
    AuthUserRevokeRoleResponse,
    RequestField.authUserRevokeRole,
  ],
  RoleAdd: [AuthRoleAddRequest, AuthRoleAddResponse, RequestField.authRoleAdd],
  RoleDelete: [AuthRoleDeleteRequest, AuthRoleDeleteResponse, RequestField.authRoleDelete],
  RoleGrantPermission: [
    AuthRoleGrantPermissionRequest,
    AuthRoleGrantPermissionResponse,
    RequestField.authRoleGrantPermission,
  ],
  RoleRevokePermission: [
    AuthRoleRevokePermissionRequest,
    AuthRoleRevokePermissionResponse,
    RequestField.authRoleRevokePermission,
  ],
} as const;

type Handler = (message: Uint8Array, call: UnaryCall) => void;

export function authMethods(member: Member): Method[] {
  const change =
    (name: keyof typeof changes): Handler =>
    (message, call) => {
      const [request, answer, field] = changes[name];
      if (decodeFor<unknown>(call, request, message) === undefined) return;
      withWriter(member, call, (caller) => {
        propose(member, call, { rpc: name, field, body: message, caller }, answer);
      });
    };
  return serve(member, service, {
    Authenticate: (message, call) => authenticate(member, message, call),
    AuthStatus: (message, call) => status(member, message, call),
    AuthEnable: change("AuthEnable"),
    AuthDisable: change("AuthDisable"),
    UserAdd: (message, call) => addUser(member, message, call),
    UserGet: (message, call) => getUser(member, message, call),
    UserList: (message, call) => listUsers(member, message, call),
    UserDelete: change("UserDelete"),
    UserChangePassword: (message, call) => changePassword(member, message, call),
    UserGrantRole: change("UserGrantRole"),
    UserRevokeRole: change("UserRevokeRole"),
    RoleAdd: change("RoleAdd"),
    RoleGet: (message, call) => getRole(member, message, call),
    RoleList: (message, call) => listRoles(member, message, call),
    RoleDelete: change("RoleDelete"),
    RoleGrantPermission: change("RoleGrantPermission"),
    RoleRevokePermission: change("RoleRevokePermission"),
  });
}

function authenticate(member: Member, message: Uint8Array, call: UnaryCall): void {
  const request = decodeFor(call, AuthenticateRequest, message);
  if (request === undefined) return;
  const told: Done<{ readonly token: string; readonly revision: number }> = (result) => {
    if (result instanceof KvError) {
      refuse(call, result);
      return;
    }
    const header = headerOf(member, result.revision);
    call.respond(AuthenticateResponse.encode({ header, token: result.token }).finish());
  };
  const { name, password } = request;
  const login = { name, password, isOver: () => call.isOver };
  member.authenticator.login(login, owned(member, call, told));
}

/** Answers every caller, as in etcd 3.7. But if the caller brings a token, it must be valid. */
function status(member: Member, message: Uint8Array, call: UnaryCall): void {
  if (decodeFor(call, AuthStatusRequest, message) === undefined) return;
  read(member, [call, "AuthStatus"], () => {
    const { isEnabled: enabled, revision } = member.machine.auth;
    const answer = { header: headerOf(member), enabled, authRevision: BigInt(revision) };
    return AuthStatusResponse.encode(answer).finish();
  });
}

function addUser(member: Member, message: Uint8Array, call: UnaryCall): void {
  const request = decodeFor(call, AuthUserAddRequest, message);
  if (request === undefined) return;
  const field = RequestField.authUserAdd;
  withCurrentRoot(member, call, (caller) => {
    const send = (hashedPassword: string): void => {
      const body = AuthUserAddRequest.encode({ ...request, password: "", hashedPassword }).finish();
      propose(member, call, { rpc: "UserAdd", field, body, caller }, AuthUserAddResponse);
    };
    if (request.options?.no_password === true) send("");
    else hash(member, call, request, send);
  });
}

/** As in etcd, a request without a password brings a hash that the client made itself. */
function changePassword(member: Member, message: Uint8Array, call: UnaryCall): void {
  const request = decodeFor(call, AuthUserChangePasswordRequest, message);
  if (request === undefined) return;
  const field = RequestField.authUserChangePassword;
  withCurrentRoot(member, call, (caller) => {
    const send = (hashedPassword: string): void => {
      const changed = { ...request, password: "", hashedPassword };
      const body = AuthUserChangePasswordRequest.encode(changed).finish();
      propose(
        member,
        call,
        { rpc: "UserChangePassword", field, body, caller },
        AuthUserChangePasswordResponse,
      );
    };
    if (request.password === "") send(request.hashedPassword);
    else hash(member, call, request, send);
  });
}

function hash(
  member: Member,
  call: UnaryCall,
  { name, password }: { readonly name: string; readonly password: string },
  then: (hashedPassword: string) => void,
): void {
  const told: Done<string> = (hashed) => {
    if (hashed instanceof KvError) refuse(call, hashed);
    else then(Buffer.from(hashed, "latin1").toString("base64"));
  };
  const login = { name, password, isOver: () => call.isOver };
  member.authenticator.hash(login, owned(member, call, told));
}

function propose(
  member: Member,
  call: UnaryCall,
  { rpc, field, body, caller }: Change,
  answer: HeaderAnswer,
): void {
  if (isMixed(member)) {
    refuse(call, new KvError("mixedBuilds"));
    return;
  }
  const told: Done<Applied> = (applied) => {
    const outcome = applied instanceof KvError ? applied : applied.outcome;
    if (outcome instanceof KvError) refuse(call, outcome);
    else {
      const header = headerOf(member, (applied as Applied).revision);
      call.respond(answer.encode({ header }).finish());
    }
  };
  const request = { field, body, caller, growthBytes: 0, client: call };
  member.write(`/${service}/${rpc}`, request, owned(member, call, told));
}

/** True if another member runs a build that would stop at an entry about users. */
function isMixed(member: Member): boolean {
  const view = member.integrity();
  return member.machine.cluster
    .members()
    .some(({ id }) => id !== member.id && view.peer(id).state === "not comparable");
}

/** Answers root, or a user about itself. */
function getUser(member: Member, message: Uint8Array, call: UnaryCall): void {
  const request = decodeFor(call, AuthUserGetRequest, message);
  if (request === undefined) return;
  read(member, [call, "UserGet"], (caller) => {
    const { auth } = member.machine;
    const refusal = adminRefusal(auth, caller);
    if (refusal !== undefined && request.name !== caller.username) return refusal;
    const user = auth.user(request.name);
    if (user === undefined) return new KvError("userNotFound");
    const answer = { header: headerOf(member), roles: [...user.roles] };
    return AuthUserGetResponse.encode(answer).finish();
  });
}

/** Answers root, or a user about a role of its own. */
function getRole(member: Member, message: Uint8Array, call: UnaryCall): void {
  const request = decodeFor(call, AuthRoleGetRequest, message);
  if (request === undefined) return;
  read(member, [call, "RoleGet"], (caller) => {
    const { auth } = member.machine;
    const refusal = adminRefusal(auth, caller);
    const isOwn = auth.user(caller.username)?.roles.includes(request.role) ?? false;
    if (refusal !== undefined && !isOwn) return refusal;
    const role = auth.role(request.role);
    if (role === undefined) return new KvError("roleNotFound");
    const answer = { header: headerOf(member), perm: permissionsOf(role) };
    return AuthRoleGetResponse.encode(answer).finish();
  });
}

/** The role root stands for all keys, whatever was granted to it. */
function permissionsOf({ name, permissions }: RoleRecord): AuthRoleGetResponse["perm"] {
  if (name === rootName) {
    const [key, range_end] = [Buffer.alloc(0), Buffer.alloc(1)];
    return [{ permType: Permission_Type.READWRITE, key, range_end }];
  }
  return permissions.map(({ type, key, rangeEnd }) => ({
    permType: type,
    key: Buffer.from(key),
    range_end: Buffer.from(rangeEnd),
  }));
}

function listUsers(member: Member, message: Uint8Array, call: UnaryCall): void {
  if (decodeFor(call, AuthUserListRequest, message) === undefined) return;
  read(member, [call, "UserList"], (caller) => {
    const { auth } = member.machine;
    const users = auth.users().map(({ name }) => name);
    return (
      adminRefusal(auth, caller) ??
      AuthUserListResponse.encode({ header: headerOf(member), users }).finish()
    );
  });
}

function listRoles(member: Member, message: Uint8Array, call: UnaryCall): void {
  if (decodeFor(call, AuthRoleListRequest, message) === undefined) return;
  read(member, [call, "RoleList"], (caller) => {
    const { auth } = member.machine;
    const roles = auth.roles().map(({ name }) => name);
    return (
      adminRefusal(auth, caller) ??
      AuthRoleListResponse.encode({ header: headerOf(member), roles }).finish()
    );
  });
}

function read(
  member: Member,
  [call, rpc]: readonly [UnaryCall, ReadingName],
  answer: (caller: Caller) => Uint8Array | KvError,
): void {
  const current: Done<void> = (refusal) => {
    if (refusal instanceof KvError) {
      refuse(call, refusal);
      return;
    }
    withCaller(member, call, (caller) => {
      const result = answer(caller);
      if (result instanceof KvError) refuse(call, result);
      else call.respond(result);
    });
  };
  const request = { client: call, isLocal: false };
  member.read(`/${service}/${rpc}`, request, owned(member, call, current));
}
