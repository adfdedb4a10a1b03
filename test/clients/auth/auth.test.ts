/**
 * Real etcdctl with users and roles prints the same against this server and against etcd 3.5, and
 * `lockstep ctl` prints what etcdctl prints. Hostile clients: forged tokens, and floods of logins.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { complete } from "../../../src/cli/ctl/method.js";
import { cleanEnv } from "../../../src/cli/stage/server-process.js";
import {
  AuthenticateRequest,
  AuthenticateResponse,
  AuthUserChangePasswordRequest,
  AuthUserChangePasswordResponse,
  PutRequest,
  PutResponse,
} from "../../../src/wire/gen/rpc.js";
import { bytes } from "../../support/client.js";
import { Cluster } from "../../support/cluster.js";
import { etcdctlPath, isMissing, projectRoot, subject } from "../../support/server-kind.js";
import { plainTarget, runScript, type Step } from "../etcdctl.js";
import { ask } from "./ask.js";

const root = "--user root:rpw";
const user = "--user u:upw";
const flags = ["--bcrypt-cost=4"];

const script: readonly Step[] = [
  ...["auth status", "auth enable", "user add root:rpw", "auth enable", "put a 1"],
  ...["put a 1", "put z 26", "role add r", "role grant-permission r read a c"],
  ...["role grant-permission r write c --prefix", "role get r", "user add u:upw"],
].map((run, place): Step => ({ run: place < 5 ? run : `${run} ${root}` }));
const more: readonly Step[] = [
  `user grant-role u r ${root}`,
  `user grant-role u none ${root}`,
  `user get u --detail ${root}`,
  `user get u -w json ${user}`,
  `user get root ${user}`,
  `role get r ${user}`,
  "get a",
  "get a --user u:wrong",
  `get a ${user}`,
  `get a c ${user}`,
  `get a d ${user}`,
  `put cc 3 ${user}`,
  `put cc 3 --prev-kv ${user}`,
  `put a 2 ${user}`,
  `del cc ${user}`,
  `member list -w json ${user}`,
  `role revoke-permission r a c ${root}`,
  `role revoke-permission r a c ${root}`,
  `get a ${user}`,
  `user list ${root}`,
  `role list -w json ${root}`,
  `user revoke-role u r ${root}`,
  `role delete r ${root}`,
  `user delete root ${root}`,
  `user delete u ${root}`,
  `auth disable ${root}`,
  "auth status",
].map((run) => ({ run }));

const put = PutRequest.encode(
  complete(PutRequest, { key: bytes("c"), value: bytes("1") }),
).finish();

const clusters: Cluster[] = [];
afterAll(() => Promise.all(clusters.map((cluster) => cluster.dispose())));

async function start(kind: Parameters<typeof Cluster.start>[0]["kind"]): Promise<Cluster> {
  const cluster = await Cluster.start({ kind, flags });
  clusters.push(cluster);
  return cluster;
}

test.skipIf(isMissing("etcd35", subject))(
  "etcdctl prints the same here and with etcd",
  async () => {
    const run = async (kind: Parameters<typeof Cluster.start>[0]["kind"]) => {
      const results = await runScript(plainTarget(await start(kind)), [...script, ...more]);
      return results.map(({ run, output }) => `$ ${run}\n${output}`).join("\n\n");
    };
    const [expected, actual] = await Promise.all([run("etcd35"), run(subject)]);
    expect(actual).toBe(expected);
  },
  120_000,
);

describe.skipIf(isMissing("etcd35", subject))("a server with auth on", () => {
  let server: Cluster;
  beforeAll(async () => {
    server = await start(subject);
    await runScript(plainTarget(server), [...script, { run: `user grant-role u r ${root}` }]);
  }, 60_000);

  const login = (name: string, password: string) =>
    ask(
      server.first,
      "Auth/Authenticate",
      { request: AuthenticateRequest.encode({ name, password }).finish() },
      AuthenticateResponse,
    );
  const tokenOf = async (name: string, password: string): Promise<string> => {
    const answer = await login(name, password);
    if (typeof answer === "string") throw new Error(answer);
    return answer.token;
  };
  const changePassword = async (change: AuthUserChangePasswordRequest): Promise<void> => {
    const token = await tokenOf("root", "rpw");
    const request = AuthUserChangePasswordRequest.encode(change).finish();
    const call = { request, token };
    await ask(server.first, "Auth/UserChangePassword", call, AuthUserChangePasswordResponse);
  };

  test.each([[`user get u --detail ${root}`], ["get a --user u --password upw"]])(
    "lockstep ctl %s",
    (words) => {
      const args = [`--endpoints=${server.first.endpoint}`, ...words.split(" ")];
      const call = (command: string, first: readonly string[]) => {
        const env = cleanEnv({ ETCDCTL_API: "3" });
        const end = spawnSync(command, [...first, ...args], { encoding: "utf8", env });
        return [end.stdout, end.stderr.replace(/^\{"level":.*\n/gm, ""), end.status];
      };
      const own = call(process.execPath, [join(projectRoot, "bin/lockstep"), "ctl"]);
      expect(own).toEqual(call(etcdctlPath(), []));
    },
  );

  test("tokens that nobody was given are refused; so is one that was given and has ended", async () => {
    const write = (token: string) =>
      ask(server.first, "KV/Put", { request: put, token }, PutResponse);
    const none = Buffer.from('{"alg":"none","typ":"JWT"}').toString("base64url");
    const claims = Buffer.from('{"username":"root","revision":99,"exp":9e9}').toString("base64url");
    const forged = ["abcdefghijklmnop.3", `${none}.${claims}.`, "", "Bearer ", "x".repeat(9_000)];
    for (const token of forged) {
      expect(await write(token)).toEqual("16 etcdserver: invalid auth token");
    }
    const token = await tokenOf("u", "upw");
    expect(typeof (await write(token))).toBe("object");
    await changePassword({ name: "u", password: "upw", hashedPassword: "" });
    expect(await write(token)).toEqual("16 etcdserver: invalid auth token");
  });

  test("a flood of logins under one name leaves room for another name, and for requests", async () => {
    // A hash that takes tens of milliseconds to compare with.
    const hash = Buffer.from(`$2a$09$${"a".repeat(53)}`).toString("base64");
    await changePassword({ name: "u", password: "", hashedPassword: hash });
    let flooding = 25;
    const flood = Array.from({ length: flooding }, async () => {
      const answer = await login("u", "wrong");
      flooding--;
      return answer;
    });
    const token = await tokenOf("root", "rpw");
    // Behind all of them, none would be left.
    expect(flooding).toBeGreaterThan(10);
    const write = await ask(server.first, "KV/Put", { request: put, token }, PutResponse);
    expect(typeof write).toBe("object");
    expect(flooding).toBeGreaterThan(0);
    const answers = new Set(await Promise.all(flood));
    expect([...answers]).toEqual([
      "3 etcdserver: authentication failed, invalid user ID or password",
    ]);
  });
});
