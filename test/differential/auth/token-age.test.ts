/**
 * Simple tokens age alike in etcd 3.5 and here: each use gives a token its whole time again, and one
 * that rests for longer is refused. Time has to pass for it, so both servers are asked side by side.
 */
import { afterAll, describe, expect, test } from "vitest";
import { complete } from "../../../src/cli/ctl/method.js";
import * as rpc from "../../../src/wire/gen/rpc.js";
import { ask } from "../../clients/auth/ask.js";
import { bytes } from "../../support/client.js";
import { Cluster, type ClusterMember } from "../../support/cluster.js";
import { isMissing, type ServerKind } from "../../support/server-kind.js";

const ttlSeconds = 2;
const usedEveryMs = 500;
/** All these uses together take longer than a token lives. */
const uses = 8;
/** etcd looks for ended tokens once a second. */
const restMs = (ttlSeconds + 3) * 1_000;

const clusters: Cluster[] = [];
afterAll(() => Promise.all(clusters.map((cluster) => cluster.dispose())));

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function begin(member: ClusterMember): Promise<string> {
  const send = (path: string, request: Uint8Array): Promise<object | string> =>
    ask(member, path, { request }, rpc.AuthUserAddResponse);
  const user = { name: "root", password: "pw", hashedPassword: "", options: undefined };
  await send("Auth/UserAdd", rpc.AuthUserAddRequest.encode(user).finish());
  const granted = { user: "root", role: "root" };
  await send("Auth/UserGrantRole", rpc.AuthUserGrantRoleRequest.encode(granted).finish());
  await send("Auth/AuthEnable", rpc.AuthEnableRequest.encode({}).finish());
  const request = rpc.AuthenticateRequest.encode({ name: "root", password: "pw" }).finish();
  const answer = await ask(member, "Auth/Authenticate", { request }, rpc.AuthenticateResponse);
  if (typeof answer === "string") throw new Error(answer);
  return answer.token;
}

async function use(member: ClusterMember, token: string): Promise<string> {
  const request = rpc.RangeRequest.encode(complete(rpc.RangeRequest, { key: bytes("a") })).finish();
  const answer = await ask(member, "KV/Range", { request, token }, rpc.RangeResponse);
  return typeof answer === "string" ? answer : "answered";
}

describe.concurrent.each<ServerKind>(["lockstep", "etcd35"])("%s", (kind) => {
  test.skipIf(isMissing(kind))(
    "a token lives while it is used, and not for longer",
    async () => {
      const flags = [`--auth-token-ttl=${ttlSeconds}`, "--bcrypt-cost=4"];
      const cluster = await Cluster.start({ kind, size: 1, flags });
      clusters.push(cluster);
      const token = await begin(cluster.first);
      const answers: string[] = [];
      for (let at = 0; at < uses; at++) {
        answers.push(await use(cluster.first, token));
        await pause(usedEveryMs);
      }
      expect(answers).toEqual(Array.from({ length: uses }, () => "answered"));
      await pause(restMs);
      expect(await use(cluster.first, token)).toBe("16 etcdserver: invalid auth token");
    },
    60_000,
  );
});
