/**
 * For tests only: a member that applies each entry at once, with real users, rights, tokens and
 * watches. Passwords take no time. Each RPC goes through its service, under a user's token.
 */
import { Authenticator } from "../auth/authenticator.js";
import { SimpleTokens } from "../auth/simple-tokens.js";
import { KvError } from "../base/errors.js";
import { gateMethods } from "../member/gate/gate.fixture.js";
import { EntryEncoder } from "../member/turns/request-codec.js";
import type { Member } from "../member/types.js";
import type { Passwords } from "../platform/credentials.js";
import { nodeHash } from "../platform/node/hash.js";
import { applyData, firstMember, foundMachine, JournalBackend } from "../state/machine.fixture.js";
import { createWatchHub } from "../state/watch/hub.js";
import { Permission_Type } from "../wire/gen/auth.js";
import {
  AuthEnableRequest,
  AuthenticateRequest,
  AuthenticateResponse,
  AuthRoleAddRequest,
  AuthRoleGrantPermissionRequest,
  AuthUserAddRequest,
  AuthUserGrantRoleRequest,
} from "../wire/gen/rpc.js";
import type { Proposal } from "../wire/proposal.js";
import { callUnary, type Ended } from "./call.fixture.js";
import { allMethods } from "./services.js";

export const instantPasswords: Passwords = {
  hash: (password, _cost, done) => done(`hash of ${password}`),
  fits: (password, hash, done) => done(hash === `hash of ${password}`),
  close: () => {},
};

/** `asked` names the requests that passed the guards and reached the member. */
export function authScene() {
  const machine = foundMachine(new JournalBackend());
  const encoder = new EntryEncoder(firstMember);
  const asked: string[] = [];
  const deferred: (() => void)[] = [];
  let nowMs = 0;
  let id = 0;
  const watch = createWatchHub(machine.kv, { onBehind: () => {} });
  const noted = (name: string) => (): void => void asked.push(name);
  const propose = ({ field, body, caller }: Proposal, done: (result: never) => void): void => {
    asked.push(`entry ${field}`);
    const applied = applyData(machine, encoder.encode(++id, field, body, caller));
    if (applied.events !== undefined) watch.notify(applied.events);
    authenticator.applied(applied);
    done((applied.outcome instanceof KvError ? applied.outcome : applied) as never);
  };
  const authenticator = new Authenticator({
    ...{ passwords: instantPasswords, bcryptCost: 4, usesCertificates: true },
    clock: { defer: (fn) => void deferred.push(fn) },
    tokens: new SimpleTokens({
      clock: { now: () => nowMs },
      rng: { int: () => 0, fork: () => ({}) as never },
      ttlMs: 300_000,
      appliedIndex: () => machine.appliedIndex,
      authRevision: () => machine.auth.revision,
    }),
    auth: () => machine.auth,
    readBarrier: (done) => done(undefined),
    propose,
  });
  const member = {
    ...gateMethods({ propose }),
    ...{ id: firstMember, clusterId: 1n, limits: { txnOpsMax: 128, requestBytesMax: 1e6 } },
    ...{ machine, watch, authenticator },
    term: () => 2,
    leader: () => firstMember,
    isLearner: () => false,
    integrity: () => ({ peer: () => ({ state: "equal" }) }),
    requestFailed: (error: unknown) => {
      throw error;
    },
    ...Object.fromEntries(
      ["compact", "leaseGrant", "leaseKeepAlive", "leaseTimeToLive", "memberAdd", "memberRemove"]
        .concat(["memberUpdate", "memberPromote", "status", "hash", "hashKv", "defragment"])
        .concat(["leaseList", "moveLeader", "openSnapshot", "readTxn", "readRange"])
        .map((name) => [name, noted(name)]),
    ),
  } as unknown as Member;
  const methods = allMethods(member, nodeHash);
  const call = (path: string, request: Uint8Array, metadata: Record<string, string> = {}): Ended =>
    callUnary(methods, `/etcdserverpb.${path}`, request, metadata);
  const login = (name: string, password: string): Record<string, string> => {
    const request = AuthenticateRequest.encode({ name, password }).finish();
    const { answer } = call("Auth/Authenticate", request);
    return answer === undefined ? {} : { token: AuthenticateResponse.decode(answer).token };
  };
  return {
    ...{ machine, member, methods, call, login, asked },
    /** Runs the work that the member has put off to the end of its turn. */
    endTurn: () => {
      for (const fn of deferred.splice(0)) fn();
    },
    wait: (ms: number) => {
      nowMs += ms;
    },
  };
}

/** Makes the users root and u, and a role r of u that may read a to c and write b; auth is on. */
export function withUsers() {
  const scene = authScene();
  const { call, login } = scene;
  const addUser = (name: string) =>
    call(
      "Auth/UserAdd",
      AuthUserAddRequest.encode({
        ...{ name, password: `${name}pw`, hashedPassword: "", options: undefined },
      }).finish(),
    );
  const grant = (type: Permission_Type, key: string, end: string) =>
    call(
      "Auth/RoleGrantPermission",
      AuthRoleGrantPermissionRequest.encode({
        name: "r",
        perm: { permType: type, key: Buffer.from(key), range_end: Buffer.from(end) },
      }).finish(),
    );
  const give = (user: string, role: string) =>
    call("Auth/UserGrantRole", AuthUserGrantRoleRequest.encode({ user, role }).finish());
  addUser("root");
  give("root", "root");
  addUser("u");
  call("Auth/RoleAdd", AuthRoleAddRequest.encode({ name: "r" }).finish());
  grant(Permission_Type.READ, "a", "c");
  grant(Permission_Type.WRITE, "b", "");
  give("u", "r");
  call("Auth/AuthEnable", AuthEnableRequest.encode({}).finish());
  scene.endTurn();
  const tokens = { root: login("root", "rootpw"), u: login("u", "upw") };
  scene.asked.length = 0;
  return { ...scene, tokens };
}
