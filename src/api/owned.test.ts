/**
 * A service handles an answer of the member inside the member's turns. If that throws, the
 * service's call ends with an error, and the turn goes on.
 */
import { describe, expect, test } from "vitest";
import { InvariantViolation } from "../base/invariant.js";
import type { Method, Status, StreamCall } from "../grpc/call.js";
import { gateMethods } from "../member/gate/gate.fixture.js";
import { requestFailure } from "../member/request-failure.js";
import type { Member } from "../member/types.js";
import { nodeHash } from "../platform/node/hash.js";
import { AuthTable } from "../state/auth/auth-table.js";
import {
  CompactionRequest,
  DowngradeRequest,
  HashKVRequest,
  HashRequest,
  LeaseGrantRequest,
  LeaseTimeToLiveRequest,
  MemberAddRequest,
  MemberListRequest,
  PutRequest,
  RangeRequest,
  WatchCreateRequest,
  WatchRequest,
} from "../wire/gen/rpc.js";
import { callUnary, FakeStream, filled } from "./call.fixture.js";
import { allMethods } from "./services.js";

type Done = (result: unknown) => void;

/**
 * A member that answers nothing by itself, and keeps what each call waits with. Reading its term
 * throws.
 */
function brokenMember(
  error: Error,
  isStopping = false,
): { member: Member; waiting: Done[]; ends: Error[]; logged: string[] } {
  const waiting: Done[] = [];
  const ends: Error[] = [];
  const logged: string[] = [];
  const fail = (): never => {
    throw error;
  };
  const known = {
    limits: { requestBytesMax: 1_000_000, txnOpsMax: 128, quotaBytes: 0 },
    authenticator: { onChange: () => () => {} },
    machine: {
      auth: new AuthTable(),
      alarms: () => [],
      kv: { revision: fail, range: fail },
      cluster: { members: fail },
    },
    watch: {
      open: (deliver: (notice: unknown) => boolean) => {
        waiting.push((notice) => void deliver(notice));
        return { create: () => {}, close: () => logged.push("closed") };
      },
    },
    ...{ id: 1n, clusterId: 2n, term: fail, leader: () => 1n },
    ...gateMethods({
      view: { isStopping: () => isStopping },
      propose: (_, done) => waiting.push(done as Done),
      readBarrier: (done) => waiting.push(done as Done),
    }),
    requestFailed: (cause: unknown) =>
      requestFailure(cause, {
        isHalted: () => isStopping,
        fail: (end) => ends.push(end),
        log: (_level, message) => logged.push(message),
      }),
  };
  const member = new Proxy(known as unknown as Member, {
    get: (target, name) =>
      Reflect.get(target, name) ??
      ((...args: unknown[]) => waiting.push(args.find((arg) => typeof arg === "function") as Done)),
  });
  return { member, waiting, ends, logged };
}

const key = Buffer.from("k");
const requests: Readonly<Record<string, Uint8Array>> = {
  "KV/Range": RangeRequest.encode(filled(RangeRequest, { key })).finish(),
  "KV/Put": PutRequest.encode(filled(PutRequest, { key })).finish(),
  "KV/Compact": CompactionRequest.encode({ revision: 1n, physical: true }).finish(),
  "Lease/LeaseGrant": LeaseGrantRequest.encode({ TTL: 1n, ID: 1n }).finish(),
  "Lease/LeaseRevoke": new Uint8Array(0),
  "Lease/LeaseTimeToLive": LeaseTimeToLiveRequest.encode({ ID: 1n, keys: true }).finish(),
  "Cluster/MemberAdd": MemberAddRequest.encode({
    peerURLs: ["http://a:1"],
    isLearner: false,
  }).finish(),
  "Cluster/MemberList": MemberListRequest.encode({ linearizable: true }).finish(),
  "Cluster/MemberRemove": new Uint8Array(0),
  "Maintenance/Alarm": new Uint8Array(0),
  "Maintenance/Hash": HashRequest.encode({}).finish(),
  "Maintenance/HashKV": HashKVRequest.encode({ revision: 0n }).finish(),
  "Maintenance/Downgrade": DowngradeRequest.encode({ action: 0, version: "3.5.0" }).finish(),
};
const answer = { outcome: { kind: "alarm", alarms: [] }, revision: 1, keys: [], members: [] };

function methods(member: Member): Method[] {
  return allMethods(member, nodeHash);
}

describe("an answer that cannot be given", () => {
  test.each(Object.entries(requests))("%s: its call fails, and nothing else", (path, request) => {
    const { member, waiting, ends, logged } = brokenMember(new TypeError("a bug"));
    const ended = callUnary(methods(member), `/etcdserverpb.${path}`, request);
    expect(waiting).toHaveLength(1);
    // Reads wait only for their turn.
    const isRead =
      path === "KV/Range" || path === "Maintenance/Downgrade" || path === "Cluster/MemberList";
    expect(() => waiting[0]?.(isRead ? undefined : answer)).not.toThrow();
    expect(ended.status).toMatchObject({ code: 13, message: "internal error" });
    expect(logged).toEqual(["a request failed on an internal error"]);
    expect(ends).toEqual([]);
  });

  test("a broken invariant is the member's end", () => {
    const violation = new InvariantViolation("not so");
    const { member, waiting, ends } = brokenMember(violation);
    const ended = callUnary(
      methods(member),
      "/etcdserverpb.KV/Range",
      requests["KV/Range"] as Uint8Array,
    );
    waiting[0]?.(undefined);
    expect(ended.status).toMatchObject({ code: 14, message: "etcdserver: server stopped" });
    expect(ends).toEqual([violation]);
  });

  test("a watch: its stream ends, and lets go of what it holds", () => {
    const { member, waiting, logged } = brokenMember(new TypeError("a bug"));
    const value = filled(WatchCreateRequest, { key });
    const request = WatchRequest.encode({ request_union: { $case: "create_request", value } });
    const stream = new FakeStream(request.finish(), 9);
    open(methods(member), "/etcdserverpb.Watch/Watch", stream);
    expect(() => waiting[0]?.({ kind: "created", watchId: 0n, revision: 1 })).not.toThrow();
    expect(stream.status).toMatchObject({ code: 13 });
    expect(logged).toEqual(["closed", "a request failed on an internal error"]);
  });
});

test("a member that stops answers unavailable to every method there is, and does nothing", () => {
  const { member, waiting } = brokenMember(new TypeError("a bug"), true);
  for (const { path, kind } of methods(member)) {
    let status: Status | undefined;
    if (kind === "unary") status = callUnary(methods(member), path, new Uint8Array(0)).status;
    else {
      const stream = new FakeStream(new Uint8Array(0), 9);
      open(methods(member), path, stream);
      status = stream.status;
    }
    expect([path, status]).toEqual([path, { code: 14, message: "etcdserver: server stopped" }]);
  }
  expect(waiting).toEqual([]);
});

function open(all: readonly Method[], path: string, stream: StreamCall): void {
  const method = all.find((candidate) => candidate.path === path);
  if (method === undefined || method.kind === "unary") throw new Error(`no stream ${path}`);
  method.handle(stream);
}
