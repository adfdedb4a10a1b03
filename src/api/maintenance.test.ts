import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { KvError } from "../base/errors.js";
import { gateMethods } from "../member/gate/gate.fixture.js";
import type { GateView } from "../member/gate/rules.js";
import type { Member } from "../member/types.js";
import { nodeHash } from "../platform/node/hash.js";
import { AuthTable } from "../state/auth/auth-table.js";
import {
  AlarmRequest,
  AlarmResponse,
  HashKVRequest,
  HashKVResponse,
  HashResponse,
  MemberAddRequest,
  MemberAddResponse,
  MemberListRequest,
  MemberListResponse,
  MemberPromoteRequest,
  MemberRemoveRequest,
  MemberUpdateRequest,
  MoveLeaderRequest,
  SnapshotResponse,
  StatusResponse,
} from "../wire/gen/rpc.js";
import { RequestField } from "../wire/proposal.js";
import { callUnary, FakeStream } from "./call.fixture.js";
import { allMethods } from "./services.js";

const noBytes = new Uint8Array(0);
const one = { id: 5n, name: "one", peerUrls: ["http://a:1"], clientUrls: [], isLearner: true };
const wireOne = {
  ID: 5n,
  name: "one",
  peerURLs: ["http://a:1"],
  clientURLs: [],
  isLearner: true,
};
const header = { cluster_id: 1n, member_id: 2n, raft_term: 4n };

function setUp(view: Partial<GateView> = {}, more: Partial<Record<keyof Member, unknown>> = {}) {
  const asked: unknown[] = [];
  const told =
    (name: string, result: unknown) =>
    (...args: unknown[]): void => {
      const isClient = (arg: unknown): boolean =>
        typeof arg === "object" && arg !== null && "metadata" in arg;
      asked.push([name, ...args.filter((arg) => typeof arg !== "function" && !isClient(arg))]);
      (args.find((arg) => typeof arg === "function") as (of: unknown) => void)(result);
    };
  const member = {
    id: 2n,
    clusterId: 1n,
    limits: { txnOpsMax: 4 },
    term: () => 4,
    leader: () => 2n,
    machine: {
      auth: new AuthTable(),
      kv: { revision: () => 9 },
      cluster: { members: () => [one] },
    },
    ...gateMethods({
      view,
      readBarrier: told("barrier", undefined),
      propose: told("propose", {
        revision: 9,
        outcome: { kind: "alarm", alarms: [{ memberId: 5n, alarm: "CORRUPT" }] },
      }),
    }),
    memberAdd: told("add", { member: one, members: [one, one] }),
    memberRemove: told("remove", [one]),
    memberUpdate: told("update", [one]),
    memberPromote: told("promote", new KvError("learnerNotReady")),
    hashKv: told("hashKv", { hash: 7, compactRevision: 3, hashRevision: 8, currentRevision: 11 }),
    hash: told("hash", 99),
    moveLeader: told("move", undefined),
    defragment: told("defragment", undefined),
    status: () => ({
      version: "3.6.0",
      leader: 2n,
      raftIndex: 30,
      raftTerm: 4,
      appliedIndex: 29,
      verifiedIndex: 28,
      dbSize: 4096,
      dbSizeInUse: 2048,
      isLearner: false,
      storageVersion: "3.6.0",
      quotaBytes: 100_000,
      errors: ["memberID:5 alarm:NOSPACE "],
    }),
    ...more,
  } as unknown as Member;
  const methods = allMethods(member, nodeHash);
  const call = (path: string, request: Uint8Array = noBytes, metadata?: Record<string, string>) =>
    callUnary(methods, `/etcdserverpb.${path}`, request, metadata);
  const stream = (path: string, room: number, request: Uint8Array = noBytes) => {
    const found = methods.find((method) => method.path === path);
    if (found === undefined || found.kind === "unary") throw new Error(`no stream ${path}`);
    const fake = new FakeStream(request, room);
    found.handle(fake);
    return fake;
  };
  return { call, stream, asked, methods };
}

describe("cluster service", () => {
  test("add: sorted URLs go in; the new member and all come out, without a revision", () => {
    const { call, asked } = setUp();
    const request = { peerURLs: ["http://b:2", " http://[::1]:1"], isLearner: true };
    const { answer } = call("Cluster/MemberAdd", MemberAddRequest.encode(request).finish());
    expect(asked).toEqual([
      ["add", { peerUrls: ["http://[::1]:1", "http://b:2"], isLearner: true }],
    ]);
    expect(MemberAddResponse.decode(answer ?? noBytes)).toEqual({
      header: { ...header, revision: 0n },
      member: wireOne,
      members: [wireOne, wireOne],
    });
  });

  test.each([
    [[]],
    [["http://a"]],
    [["ftp://a:1"]],
    [["a:1"]],
    [["http://a:1/path"]],
    [["http://a:1/"]],
    [["http://a:66000"]],
    [["http://:1"]],
    [["http://a b:1"]],
    [["http://a:1", ""]],
  ])("URLs that are none: %j", (peerURLs) => {
    const { call, asked } = setUp();
    const bad = { code: 3, message: "etcdserver: given member URLs are invalid" };
    const add = MemberAddRequest.encode({ peerURLs, isLearner: false }).finish();
    expect(call("Cluster/MemberAdd", add).status).toEqual(bad);
    const update = MemberUpdateRequest.encode({ ID: 5n, peerURLs }).finish();
    expect(call("Cluster/MemberUpdate", update).status).toEqual(bad);
    expect(asked).toEqual([]);
  });

  test("list: after a barrier if asked; remove, update, promote", () => {
    const { call, asked } = setUp();
    const list = (linearizable: boolean) =>
      call("Cluster/MemberList", MemberListRequest.encode({ linearizable }).finish()).answer;
    expect(MemberListResponse.decode(list(false) ?? noBytes).members).toEqual([wireOne]);
    expect(asked).toEqual([]);
    expect(MemberListResponse.decode(list(true) ?? noBytes).members).toEqual([wireOne]);
    call("Cluster/MemberRemove", MemberRemoveRequest.encode({ ID: 6n }).finish());
    const update = { ID: 7n, peerURLs: ["http://c:3"] };
    call("Cluster/MemberUpdate", MemberUpdateRequest.encode(update).finish());
    const promote = MemberPromoteRequest.encode({ ID: 8n }).finish();
    expect(call("Cluster/MemberPromote", promote).status).toMatchObject({ code: 9 });
    expect(asked).toEqual([
      ["barrier"],
      ["remove", 6n],
      ["update", { id: 7n, peerUrls: ["http://c:3"] }],
      ["promote", 8n],
    ]);
  });
});

describe("maintenance service", () => {
  test("status tells of a downgrade in progress", () => {
    const status = () => ({
      ...{ version: "3.7.1", leader: 2n, raftIndex: 30, raftTerm: 4, appliedIndex: 29, dbSize: 1 },
      ...{ dbSizeInUse: 1, isLearner: false, storageVersion: "3.6.0", quotaBytes: 1, errors: [] },
      ...{ downgradeTarget: "3.6.0", verifiedIndex: 0 },
    });
    const { answer } = setUp({}, { status }).call("Maintenance/Status");
    expect(StatusResponse.decode(answer ?? noBytes)).toMatchObject({
      version: "3.7.1",
      storageVersion: "3.6.0",
      downgradeInfo: { enabled: true, targetVersion: "3.6.0" },
    });
  });

  test("status of a learner without a leader", () => {
    const { call } = setUp({ isLearner: () => true, hasLeader: () => false });
    expect(StatusResponse.decode(call("Maintenance/Status").answer ?? noBytes)).toEqual({
      header: { ...header, revision: 9n },
      version: "3.6.0",
      dbSize: 4096n,
      leader: 2n,
      raftIndex: 30n,
      raftTerm: 4n,
      raftAppliedIndex: 29n,
      errors: ["memberID:5 alarm:NOSPACE "],
      dbSizeInUse: 2048n,
      isLearner: false,
      storageVersion: "3.6.0",
      dbSizeQuota: 100_000n,
      downgradeInfo: { enabled: false, targetVersion: "" },
      verifiedIndex: 28n,
    });
    const wishing = call("Maintenance/Status", noBytes, { hasleader: "true" });
    expect(wishing.status?.message).toBe("etcdserver: no leader");
    for (const path of ["Maintenance/Alarm", "Maintenance/HashKV", "Cluster/MemberList"]) {
      expect(call(path).status?.message).toBe("etcdserver: rpc not supported for learner");
    }
  });

  test("alarms go through the log, also to be read", () => {
    const { call, asked } = setUp();
    const body = AlarmRequest.encode({ action: 0, memberID: 0n, alarm: 0 }).finish();
    const { answer } = call("Maintenance/Alarm", body);
    expect(asked).toMatchObject([["propose", { field: RequestField.alarm, body, growthBytes: 0 }]]);
    expect(AlarmResponse.decode(answer ?? noBytes)).toEqual({
      header: { ...header, revision: 9n },
      alarms: [{ memberID: 5n, alarm: 2 }],
    });
  });

  test("hashes, defragmentation, transfer of leadership", () => {
    const { call, asked } = setUp();
    const hashKv = call("Maintenance/HashKV", HashKVRequest.encode({ revision: 8n }).finish());
    expect(HashKVResponse.decode(hashKv.answer ?? noBytes)).toEqual({
      header: { ...header, revision: 11n },
      hash: 7,
      compact_revision: 3n,
      hash_revision: 8n,
    });
    expect(HashResponse.decode(call("Maintenance/Hash").answer ?? noBytes).hash).toBe(99);
    expect(call("Maintenance/Defragment").answer).toHaveLength(0);
    const move = MoveLeaderRequest.encode({ targetID: 6n }).finish();
    expect(call("Maintenance/MoveLeader", move).answer).toHaveLength(0);
    expect(asked).toEqual([["hashKv", 8], ["hash"], ["defragment"], ["move", 6n]]);
    const refusing = setUp(
      {},
      { moveLeader: (_to: bigint, done: (e: KvError) => void) => done(new KvError("notLeader")) },
    );
    expect(refusing.call("Maintenance/MoveLeader", move).status).toMatchObject({ code: 9 });
  });
});

describe("snapshot", () => {
  const takeTurn = (fn: () => void): void => fn();
  function source(sizes: readonly number[]) {
    const chunks = sizes.map((size, place) => new Uint8Array(size).fill(place + 1));
    const state = { given: 0, closed: 0, touched: 0 };
    let ended: (error: KvError) => void = () => {};
    return {
      state,
      endWith: (error: KvError) => ended(error),
      bytes: Buffer.concat(chunks),
      openSnapshot: (done: (of: unknown) => void) =>
        done({
          totalBytes: sizes.reduce((sum, size) => sum + size, 0),
          version: "3.6.0",
          next: () => chunks[state.given++],
          touch: () => state.touched++,
          takeTurn,
          onEnd: (fn: (error: KvError) => void) => {
            ended = fn;
          },
          close: () => state.closed++,
        }),
    };
  }
  const path = "/etcdserverpb.Maintenance/Snapshot";

  test("pieces, what remains, and the hash of all", () => {
    const { openSnapshot, bytes, state } = source([100_000, 10, 70_000]);
    const call = setUp({}, { openSnapshot }).stream(path, 1_000);
    const messages = call.sent.map((message) => SnapshotResponse.decode(message));
    const blobs = messages.slice(0, -1).map(({ blob }) => blob);
    const whole = Buffer.concat(blobs);
    expect(whole.equals(bytes)).toBe(true);
    let remaining = whole.length;
    for (const { blob, remaining_bytes, version } of messages.slice(0, -1)) {
      expect(blob.length).toBeLessThanOrEqual(32 * 1024);
      remaining -= blob.length;
      expect(remaining_bytes).toBe(BigInt(remaining));
      expect(version).toBe("3.6.0");
    }
    expect(messages.at(-1)).toMatchObject({
      remaining_bytes: 0n,
      blob: createHash("sha256").update(whole).digest(),
    });
    expect(call.isEnded).toBe(true);
    expect(state.closed).toBe(1);
  });

  test("no faster than the client takes; let go of when it leaves", () => {
    const { openSnapshot, state } = source([200_000]);
    const call = setUp({}, { openSnapshot }).stream(path, 2);
    expect(call.sent).toHaveLength(2);
    call.drain();
    expect(call.sent).toHaveLength(4);
    // A client that takes some of the stream is not late.
    expect(state.touched).toBe(2);
    call.cancel();
    expect(state.closed).toBe(1);
    call.drain();
    expect(call.sent).toHaveLength(4);
  });

  test("a state that the member lets go of ends the stream with the reason, once", () => {
    const { openSnapshot, state, endWith } = source([200_000]);
    const call = setUp({}, { openSnapshot }).stream(path, 2);
    endWith(new KvError("viewTooSlow"));
    expect(call.status).toMatchObject({ code: 14 });
    expect(call.status?.message).toContain("was not read for 60 s");
    endWith(new KvError("stopped"));
    call.drain();
    expect(call.status?.message).toContain("was not read for 60 s");
    expect(call.sent).toHaveLength(2);
    expect(state.closed).toBe(1);
  });

  test("an error of a read ends the stream", () => {
    const opened = (done: (of: unknown) => void) =>
      done({
        ...{ totalBytes: 10, next: () => new KvError("corrupt"), touch: () => {}, onEnd: () => {} },
        ...{ close: () => {}, takeTurn },
      });
    const call = setUp({}, { openSnapshot: opened }).stream(path, 2);
    expect(call.status).toMatchObject({ code: 15 });
    expect(call.isEnded).toBe(false);
  });
});

describe("other services", () => {
  test("health: of the server as a whole, and of each of its services", () => {
    const { methods, stream } = setUp();
    const named = Uint8Array.of(0x0a, 1, 0x78);
    const check = (request: Uint8Array) =>
      callUnary(methods, "/grpc.health.v1.Health/Check", request);
    expect(check(noBytes).answer).toEqual(Uint8Array.of(8, 1));
    expect(check(Uint8Array.of(0x0a, 0)).answer).toEqual(Uint8Array.of(8, 1));
    expect(check(named).status).toMatchObject({ code: 5 });
    const kv = Buffer.from("etcdserverpb.KV");
    expect(check(Buffer.from([0x0a, kv.length, ...kv])).answer).toEqual(Uint8Array.of(8, 1));
    expect(check(Uint8Array.of(0x0a, 2, 0x78)).status).toMatchObject({ code: 13 });
    const watch = stream("/grpc.health.v1.Health/Watch", 9);
    expect(watch.sent).toEqual([Uint8Array.of(8, 1)]);
    expect(watch.isEnded).toBe(false);
    expect(stream("/grpc.health.v1.Health/Watch", 9, named).sent).toEqual([Uint8Array.of(8, 3)]);
  });

  test.each([
    "Maintenance/Status",
    "Maintenance/Hash",
    "Maintenance/Defragment",
    "Maintenance/HashKV",
    "Maintenance/Alarm",
    "Cluster/MemberList",
  ])("%s refuses bytes that are no request, and does nothing", (name) => {
    const { call, asked } = setUp();
    expect(call(name, Uint8Array.of(0x0a, 5)).status).toEqual({
      code: 13,
      message: "grpc: error unmarshalling request: unexpected EOF",
    });
    expect(asked).toEqual([]);
  });

  test("every path is served once", () => {
    const paths = setUp().methods.map(({ path }) => path);
    expect(new Set(paths).size).toBe(paths.length);
    expect(paths).toContain("/etcdserverpb.Watch/Watch");
    expect(paths).toContain("/etcdserverpb.Lease/LeaseKeepAlive");
  });
});
