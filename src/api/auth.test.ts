/** The services behind their guards: what each user may do while auth is on. */
import { describe, expect, test } from "vitest";
import { KvError } from "../base/errors.js";
import { rpcTable } from "../member/gate/table.js";
import {
  AlarmRequest,
  AlarmRequest_AlarmAction,
  AuthenticateRequest,
  AuthRoleDeleteRequest,
  AuthRoleGetRequest,
  AuthStatusResponse,
  AuthUserAddRequest,
  AuthUserChangePasswordRequest,
  AuthUserDeleteRequest,
  AuthUserGetRequest,
  AuthUserGetResponse,
  AuthUserGrantRoleRequest,
  AuthUserRevokeRoleRequest,
  DeleteRangeRequest,
  LeaseRevokeRequest,
  LeaseTimeToLiveRequest,
  PutRequest,
  RangeRequest,
  TxnRequest,
  WatchRequest,
  WatchResponse,
} from "../wire/gen/rpc.js";
import { authScene, withUsers } from "./auth.fixture.js";
import { type Ended, FakeStream, filled } from "./call.fixture.js";

const none = new Uint8Array(0);
const told = ({ status, answer }: Ended): string =>
  status?.message.replace("etcdserver: ", "") ?? (answer === undefined ? "no answer" : "ok");
const key = (text: string) => Buffer.from(text);
const put = (name: string) =>
  PutRequest.encode(filled(PutRequest, { key: key(name), value: key("v") })).finish();
const range = (name: string, end = "") =>
  RangeRequest.encode(filled(RangeRequest, { key: key(name), range_end: key(end) })).finish();

describe("who may call", () => {
  test("each RPC of root refuses nobody and users before the member is asked", () => {
    const { methods, call, asked, tokens } = withUsers();
    const ofRoot = Object.entries(rpcTable).filter(([, { who }]) => who === "root");
    expect(ofRoot.length).toBeGreaterThan(10);
    for (const [path, { kind }] of ofRoot) {
      if (kind === "unary" && path.startsWith("/etcdserverpb.")) {
        const name = path.replace("/etcdserverpb.", "");
        expect([path, told(call(name, none))]).toEqual([path, "user name is empty"]);
        expect([path, told(call(name, none, tokens.u))]).toEqual([path, "permission denied"]);
      }
    }
    const snapshot = methods.find(({ path }) => path.endsWith("/Snapshot"));
    const stream = new FakeStream(none, 1);
    if (snapshot?.kind === "serverStream") snapshot.handle(stream);
    expect(stream.status?.message).toBe("etcdserver: user name is empty");
    expect(asked).toEqual([]);
  });

  test("each RPC of users refuses nobody", () => {
    const { call, asked, tokens } = withUsers();
    const ofUsers = Object.entries(rpcTable).filter(([, { who }]) => who === "user");
    for (const [path] of ofUsers) {
      expect(told(call(path.replace("/etcdserverpb.", ""), none))).toBe("user name is empty");
    }
    expect(asked).toEqual([]);
    expect(told(call("Cluster/MemberList", none, tokens.u))).toBe("ok");
  });

  test("alarms: users may look, root may change", () => {
    const { call, tokens } = withUsers();
    const ask = (action: AlarmRequest_AlarmAction) =>
      AlarmRequest.encode({ action, memberID: 1n, alarm: 1 }).finish();
    const { GET, ACTIVATE } = AlarmRequest_AlarmAction;
    expect(told(call("Maintenance/Alarm", ask(GET)))).toBe("user name is empty");
    expect(told(call("Maintenance/Alarm", ask(GET), tokens.u))).toBe("ok");
    expect(told(call("Maintenance/Alarm", ask(ACTIVATE), tokens.u))).toBe("permission denied");
    expect(told(call("Maintenance/Alarm", ask(ACTIVATE), tokens.root))).toBe("ok");
  });

  test("users and roles: root, and each user about itself", () => {
    const { call, tokens } = withUsers();
    const user = (name: string) => AuthUserGetRequest.encode({ name }).finish();
    const role = (name: string) => AuthRoleGetRequest.encode({ role: name }).finish();
    const roles = call("Auth/UserGet", user("u"), tokens.u).answer ?? none;
    expect(AuthUserGetResponse.decode(roles).roles).toEqual(["r"]);
    expect(told(call("Auth/UserGet", user("root"), tokens.u))).toBe("permission denied");
    expect(told(call("Auth/UserGet", user("x"), tokens.root))).toBe("user name not found");
    expect(told(call("Auth/RoleGet", role("r"), tokens.u))).toBe("ok");
    expect(told(call("Auth/RoleGet", role("q"), tokens.u))).toBe("permission denied");
    expect(told(call("Auth/UserList", none, tokens.u))).toBe("permission denied");
    expect(told(call("Auth/RoleList", none))).toBe("user name is empty");
    const answer = call("Auth/AuthStatus", none).answer ?? none;
    expect(AuthStatusResponse.decode(answer)).toMatchObject({ enabled: true, authRevision: 8n });
    for (const name of ["UserAdd", "UserDelete", "RoleAdd", "AuthDisable", "UserChangePassword"]) {
      expect(told(call(`Auth/${name}`, none, tokens.u))).toBe("permission denied");
      expect(told(call(`Auth/${name}`, none))).toBe("user name is empty");
    }
  });
});

describe("keys", () => {
  test("reads and writes by the caller's rights; nobody's write never reaches the log", () => {
    const { call, tokens, asked } = withUsers();
    expect(told(call("KV/Put", put("b"), tokens.u))).toBe("ok");
    expect(told(call("KV/Put", put("a"), tokens.u))).toBe("permission denied");
    call("KV/Range", range("a", "c"), tokens.u);
    expect(asked.splice(0)).toEqual(["entry 4", "entry 4", "readRange"]);
    expect(told(call("KV/Range", range("a"), tokens.u))).toBe("ok");
    expect(told(call("KV/Range", range("a", "d"), tokens.u))).toBe("permission denied");
    expect(told(call("KV/Range", range("a")))).toBe("user name is empty");
    const remove = DeleteRangeRequest.encode({
      ...{ key: key("b"), range_end: key("c"), prev_kv: false },
    }).finish();
    expect(told(call("KV/DeleteRange", remove, tokens.u))).toBe("permission denied");
    asked.length = 0;
    expect(told(call("KV/Put", put("b")))).toBe("user name is empty");
    const txn = TxnRequest.encode(
      filled(TxnRequest, {
        success: [{ request: { $case: "request_put", value: PutRequest.decode(put("b")) } }],
      }),
    ).finish();
    expect(told(call("KV/Txn", txn))).toBe("user name is empty");
    expect(asked).toEqual([]);
    expect(told(call("KV/Txn", txn, tokens.u))).toBe("ok");
  });

  test("a transaction that only reads is checked like one that writes", () => {
    const { call, tokens, asked } = withUsers();
    const read = (name: string) => {
      const value = RangeRequest.decode(range(name));
      const ops = [{ request: { $case: "request_range" as const, value } }];
      return TxnRequest.encode(filled(TxnRequest, { failure: ops })).finish();
    };
    expect(told(call("KV/Txn", read("z"), tokens.u))).toBe("permission denied");
    expect(asked).toEqual([]);
    call("KV/Txn", read("a"), tokens.u);
    expect(asked).toEqual(["readTxn"]);
  });

  test("the keys of a lease are for those who may read them; whoever may not write them cannot end it", () => {
    const { call, tokens, machine, member, methods } = withUsers();
    const lease = 7n;
    call("KV/Put", put("z"), tokens.root);
    machine.leases.hasKeys = (id) => id === lease;
    machine.leases.areKeysIn = (_id, ranges) => ranges.rangeAround("z") !== undefined;
    member.leaseList = (_client, refusalOf, done) =>
      done(refusalOf(lease) ?? new KvError("stopped"));
    const ask = (keys: boolean) => LeaseTimeToLiveRequest.encode({ ID: lease, keys }).finish();
    expect(told(call("Lease/LeaseTimeToLive", ask(true), tokens.u))).toBe("permission denied");
    expect(told(call("Lease/LeaseTimeToLive", ask(false), tokens.u))).toBe("no answer");
    expect(told(call("Lease/LeaseTimeToLive", ask(false)))).toBe("user name is empty");
    expect(told(call("Lease/LeaseLeases", none, tokens.u))).toBe("permission denied");
    expect(told(call("Lease/LeaseLeases", none, tokens.root))).toBe("server stopped");
    expect(told(call("Lease/LeaseLeases", none))).toBe("user name is empty");
    const revoke = LeaseRevokeRequest.encode({ ID: lease }).finish();
    expect(told(call("Lease/LeaseRevoke", revoke, tokens.u))).toBe("permission denied");
    expect(told(call("Lease/LeaseRevoke", revoke))).toBe("user name is empty");
    const renewal = methods.find(({ path }) => path.endsWith("/LeaseKeepAlive"));
    const stream = new FakeStream(Uint8Array.of(8, 7), 1, tokens.u);
    if (renewal?.kind === "bidi") renewal.handle(stream);
    expect(stream.status?.message).toBe("etcdserver: permission denied");
  });
});

test("a RangeStream asks for the right to the whole range, before it reads a page", () => {
  const { methods, tokens, asked } = withUsers();
  const open = (end: string, metadata: Record<string, string>): unknown => {
    asked.length = 0;
    const method = methods.find(({ path }) => path.endsWith("/RangeStream"));
    const stream = new FakeStream(range("a", end), 10, metadata);
    if (method?.kind === "serverStream") method.handle(stream);
    return stream.status?.message ?? asked.join();
  };
  expect(open("c", tokens.u)).toBe("readRange");
  expect(open("d", tokens.root)).toBe("readRange");
  expect(open("d", tokens.u)).toBe("etcdserver: permission denied");
  expect(open("c", {})).toBe("etcdserver: user name is empty");
  expect(open("c", { token: "x.1" })).toBe("etcdserver: invalid auth token");
  expect(asked).toEqual([]);
});

describe("tokens", () => {
  test("made up, aged, and of a user that was deleted or has another password", () => {
    const { call, login, tokens, wait } = withUsers();
    const read = (metadata: Record<string, string>) => told(call("KV/Range", range("a"), metadata));
    const bad = "invalid auth token";
    for (const token of ["", "x", "aaaaaaaaaaaaaaaa.3", "a.b.c", "Bearer x.1", "x.-1", "x.1e3"]) {
      expect([token, read({ token })]).toEqual([token, bad]);
    }
    expect(read({ authorization: `Bearer ${tokens.u.token}` })).toBe("ok");
    wait(299_000);
    expect(read(tokens.u)).toBe("ok");
    wait(299_000);
    expect([read(tokens.u), read(tokens.root)]).toEqual(["ok", bad]);
    const root = login("root", "rootpw");
    const change = AuthUserChangePasswordRequest.encode({
      ...{ name: "u", password: "new", hashedPassword: "" },
    }).finish();
    expect(told(call("Auth/UserChangePassword", change, root))).toBe("ok");
    expect(read(tokens.u)).toBe(bad);
    expect(login("u", "upw")).toEqual({});
    const again = login("u", "new");
    expect(read(again)).toBe("ok");
    call("Auth/UserDelete", AuthUserDeleteRequest.encode({ name: "u" }).finish(), root);
    expect(read(again)).toBe(bad);
  });

  test("a login that fails says not why; one while auth is off says so", () => {
    const login = (name: string, password: string) =>
      AuthenticateRequest.encode({ name, password }).finish();
    const { call, tokens } = withUsers();
    const failed = "authentication failed, invalid user ID or password";
    expect(told(call("Auth/Authenticate", login("u", "bad")))).toBe(failed);
    expect(told(call("Auth/Authenticate", login("nobody", "upw")))).toBe(failed);
    const request = { name: "c", password: "", hashedPassword: "", options: { no_password: true } };
    call("Auth/UserAdd", AuthUserAddRequest.encode(request).finish(), tokens.root);
    expect(told(call("Auth/Authenticate", login("c", "x")))).toBe(
      "auth: authentication failed, password was given for no password user",
    );
    const off = authScene().call("Auth/Authenticate", login("u", "upw"));
    expect(off.status).toEqual({ code: 9, message: "etcdserver: authentication is not enabled" });
  });
});

describe("watches", () => {
  function watchOf(scene: ReturnType<typeof withUsers>, name: string, end: string) {
    const method = scene.methods.find(({ path }) => path.endsWith("/Watch"));
    const value = {
      ...{ key: key(name), range_end: key(end), start_revision: 0n, progress_notify: false },
      ...{ filters: [], prev_kv: false, watch_id: 0n, fragment: false },
    };
    const create = WatchRequest.encode({ request_union: { $case: "create_request", value } });
    const stream = new FakeStream(create.finish(), 1_000, scene.tokens.u);
    if (method?.kind === "bidi") method.handle(stream);
    return () =>
      stream.sent.splice(0).map((message) => {
        const { created, canceled, events, cancel_reason } = WatchResponse.decode(message);
        return [created && "created", canceled && "canceled", cancel_reason]
          .concat(events.map(({ kv }) => kv?.key.toString() ?? ""))
          .filter((word) => word !== "" && word !== false)
          .join(" ");
      });
  }
  const denied = "rpc error: code = PermissionDenied desc = etcdserver: permission denied";

  test("creation asks for the right to the whole range", () => {
    const scene = withUsers();
    expect(watchOf(scene, "a", "c")()).toEqual(["created"]);
    expect(watchOf(scene, "a", "d")()).toEqual([`created canceled ${denied}`]);
    // GHSA-xg4h-6gfc-h4m8: a watch of all keys from b on, by a user with the right to b alone.
    expect(watchOf(scene, "b", "\0")()).toEqual([`created canceled ${denied}`]);
    expect(watchOf({ ...scene, tokens: { ...scene.tokens, u: {} } }, "a", "")()).toEqual([
      "created canceled rpc error: code = InvalidArgument desc = etcdserver: user name is empty",
    ]);
    const forged = { ...scene, tokens: { ...scene.tokens, u: { token: "x.1" } } };
    expect(watchOf(forged, "a", "")()).toEqual([
      "created canceled rpc error: code = Unauthenticated desc = etcdserver: invalid auth token",
    ]);
  });

  test("a watch ends with its right, and sees nothing of what comes after", () => {
    const scene = withUsers();
    const { call, tokens, endTurn } = scene;
    const read = watchOf(scene, "a", "c");
    call("KV/Put", put("b"), tokens.u);
    expect(read()).toEqual(["created", "b"]);
    const other = AuthRoleDeleteRequest.encode({ role: "none" }).finish();
    call("Auth/RoleDelete", other, tokens.root);
    call("KV/Put", put("b"), tokens.u);
    expect(read()).toEqual(["b"]);
    const revoke = AuthUserRevokeRoleRequest.encode({ name: "u", role: "r" }).finish();
    call("Auth/UserRevokeRole", revoke, tokens.root);
    call("KV/Put", put("b"), tokens.root);
    expect(read()).toEqual([]);
    endTurn();
    expect(read()).toEqual([`canceled ${denied}`]);
    call("KV/Put", put("b"), tokens.root);
    expect(read()).toEqual([]);
  });

  test("a right that comes back before the watch has ended does not hide the events between", () => {
    const scene = withUsers();
    const { call, tokens, endTurn } = scene;
    const read = watchOf(scene, "a", "c");
    expect(read()).toEqual(["created"]);
    const role = { name: "u", role: "r" };
    call("Auth/UserRevokeRole", AuthUserRevokeRoleRequest.encode(role).finish(), tokens.root);
    call("KV/Put", put("b"), tokens.root);
    const again = { user: "u", role: "r" };
    call("Auth/UserGrantRole", AuthUserGrantRoleRequest.encode(again).finish(), tokens.root);
    call("KV/Put", put("b"), tokens.root);
    endTurn();
    expect(read()).toEqual([`canceled ${denied}`]);
  });
});
