/**
 * Users in a cluster of three: a token is known to every member, and a member that gets a snapshot
 * decides by the users and rights in it (etcd #14571).
 */
import { afterAll, expect, test } from "vitest";
import { complete } from "../../../src/cli/ctl/method.js";
import { Permission_Type } from "../../../src/wire/gen/auth.js";
import * as rpc from "../../../src/wire/gen/rpc.js";
import { bytes } from "../../support/client.js";
import { Cluster, type ClusterMember } from "../../support/cluster.js";
import { subject } from "../../support/server-kind.js";
import { ask } from "./ask.js";

let cluster: Cluster | undefined;
afterAll(() => cluster?.dispose());

const flags = ["--bcrypt-cost=4", "--snapshot-count=10", "--snapshot-catchup-entries=5"];

test.skipIf(subject !== "lockstep")(
  "tokens and rights at each of three members",
  async () => {
    cluster = await Cluster.start({ kind: subject, size: 3, flags });
    const [first, second, third] = cluster.members as [ClusterMember, ClusterMember, ClusterMember];
    let token: string | undefined;
    const send = async (path: string, request: Uint8Array, at = first): Promise<object> => {
      const call = token === undefined ? { request } : { request, token };
      const answer = await ask(at, path, call, rpc.AuthenticateResponse);
      if (typeof answer === "string") throw new Error(`${path}: ${answer}`);
      return answer;
    };
    const login = async (name: string): Promise<string> => {
      const request = rpc.AuthenticateRequest.encode({ name, password: "pw" }).finish();
      const answer = await ask(first, "Auth/Authenticate", { request }, rpc.AuthenticateResponse);
      return typeof answer === "string" ? answer : answer.token;
    };
    const grant = (key: string): Uint8Array => {
      const perm = {
        permType: Permission_Type.READWRITE,
        key: bytes(key),
        range_end: Buffer.alloc(0),
      };
      return rpc.AuthRoleGrantPermissionRequest.encode({ name: "r", perm }).finish();
    };
    for (const name of ["root", "u"]) {
      const user = { name, password: "pw", hashedPassword: "", options: undefined };
      await send("Auth/UserAdd", rpc.AuthUserAddRequest.encode(user).finish());
    }
    const giveRole = (user: string, role: string) =>
      send("Auth/UserGrantRole", rpc.AuthUserGrantRoleRequest.encode({ user, role }).finish());
    await giveRole("root", "root");
    await send("Auth/RoleAdd", rpc.AuthRoleAddRequest.encode({ name: "r" }).finish());
    await send("Auth/RoleGrantPermission", grant("a"));
    await giveRole("u", "r");
    await send("Auth/AuthEnable", rpc.AuthEnableRequest.encode({}).finish());

    const read = (key: string, as: string, at: ClusterMember) => {
      const range = complete(rpc.RangeRequest, { key: bytes(key), serializable: true });
      const call = { request: rpc.RangeRequest.encode(range).finish(), token: as };
      return ask(at, "KV/Range", call, rpc.RangeResponse);
    };
    const user = await login("u");
    for (const member of [first, second, third]) {
      expect(typeof (await read("a", user, member))).toBe("object");
      expect(await read("b", user, member)).toBe("7 etcdserver: permission denied");
    }

    await third.kill();
    token = await login("root");
    await send("Auth/RoleGrantPermission", grant("b"));
    const revoked = { role: "r", key: bytes("a"), range_end: Buffer.alloc(0) };
    const request = rpc.AuthRoleRevokePermissionRequest.encode(revoked).finish();
    await send("Auth/RoleRevokePermission", request);
    const put = rpc.PutRequest.encode(
      complete(rpc.PutRequest, { key: bytes("b"), value: bytes("1") }),
    ).finish();
    for (let i = 0; i < 60; i++) await send("KV/Put", put);
    await third.start();
    await third.client.reconnected();
    const again = await login("u");
    expect(typeof (await read("b", again, third))).toBe("object");
    expect(await read("a", again, third)).toBe("7 etcdserver: permission denied");
    expect(third.process.log()).toContain("applied snapshot");
  },
  60_000,
);
