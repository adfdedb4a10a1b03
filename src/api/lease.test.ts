import { describe, expect, test } from "vitest";
import type { Done } from "../base/done.js";
import { type ErrorReason, KvError } from "../base/errors.js";
import type { Status, StreamCall, UnaryCall } from "../grpc/call.js";
import { gateMethods } from "../member/gate/gate.fixture.js";
import type { GateView } from "../member/gate/rules.js";
import type { Member } from "../member/types.js";
import { AuthTable } from "../state/auth/auth-table.js";
import type { Applied } from "../state/types.js";
import {
  LeaseGrantRequest,
  LeaseGrantResponse,
  LeaseKeepAliveRequest,
  LeaseKeepAliveResponse,
  LeaseLeasesResponse,
  LeaseRevokeRequest,
  LeaseRevokeResponse,
  LeaseTimeToLiveRequest,
  LeaseTimeToLiveResponse,
} from "../wire/gen/rpc.js";
import { noBytes } from "../wire/protobuf-writer.js";
import { leaseMethods } from "./lease.js";

type KeepAliveDone = Done<{ readonly ttl: number }>;

function setUp(view: Partial<GateView> = {}, more: Partial<Record<keyof Member, unknown>> = {}) {
  const asked: unknown[] = [];
  const renewals: { id: bigint; done: KeepAliveDone }[] = [];
  const member = {
    id: 2n,
    clusterId: 1n,
    term: () => 4,
    leader: () => 2n,
    machine: {
      auth: new AuthTable(),
      kv: { revision: () => 9 },
      leases: { all: () => [{ id: 7n }, { id: -3n }] },
    },
    leaseGrant: (
      _client: unknown,
      { id, ttl }: { id: bigint; ttl: number },
      done: (of: unknown) => void,
    ) => {
      asked.push([id, ttl]);
      done(id === 5n ? new KvError("leaseExists") : { id: 77n, ttl: 60, revision: 8 });
    },
    ...gateMethods({
      view,
      propose: (request, done) => {
        const { ID } = LeaseRevokeRequest.decode(request.body);
        asked.push([request.field, ID]);
        const outcome = ID === 5n ? new KvError("leaseNotFound") : { kind: "leaseRevoke", id: ID };
        done({ revision: 10, outcome } as Applied);
      },
    }),
    leaseTimeToLive: (
      _client: unknown,
      { id, withKeys }: { id: bigint; withKeys: boolean },
      done: (of: unknown) => void,
    ) => {
      const keys = withKeys ? Uint8Array.of(0x2a, 1, 0x61) : noBytes;
      done(
        id === 5n ? { ttl: -1, grantedTtl: 0, keys: noBytes } : { ttl: 6, grantedTtl: 10, keys },
      );
    },
    leaseList: (_client: unknown, _refusalOf: unknown, done: (of: unknown) => void) => {
      done(
        LeaseLeasesResponse.encode({
          header: undefined,
          leases: [{ ID: -3n }, { ID: 7n }],
        }).finish(),
      );
    },
    leaseKeepAlive: (_client: unknown, id: bigint, done: KeepAliveDone) =>
      renewals.push({ id, done }),
    ...more,
  } as unknown as Member;
  const method = (name: string) => {
    const found = leaseMethods(member).find(({ path }) => path === `/etcdserverpb.Lease/${name}`);
    if (found === undefined) throw new Error(`no method ${name}`);
    return found;
  };
  const call = (name: string, request: Uint8Array): { answer?: Uint8Array; status?: Status } => {
    const result: { answer?: Uint8Array; status?: Status } = {};
    const unary: Partial<UnaryCall> = {
      metadata: () => "true",
      respond: (answer) => {
        result.answer = answer;
      },
      fail: (status) => {
        result.status = status;
      },
    };
    const of = method(name);
    if (of.kind === "unary") of.handle(request, unary as UnaryCall);
    return result;
  };
  return { member, asked, renewals, call, method };
}

const grantRequest = (ID: bigint, TTL: bigint) => LeaseGrantRequest.encode({ ID, TTL }).finish();
const header = { cluster_id: 1n, member_id: 2n, raft_term: 4n };

describe("lease service", () => {
  test("grant: what the member granted, at the revision it was applied", () => {
    const { call, asked } = setUp();
    const { answer } = call("LeaseGrant", grantRequest(0n, 60n));
    expect(LeaseGrantResponse.decode(answer ?? new Uint8Array(0))).toEqual({
      header: { ...header, revision: 8n },
      ID: 77n,
      TTL: 60n,
      error: "",
    });
    expect(call("LeaseGrant", grantRequest(5n, 60n)).status).toMatchObject({
      message: "etcdserver: lease already exists",
    });
    call("LeaseGrant", grantRequest(1n, 2n ** 63n - 1n));
    call("LeaseGrant", grantRequest(1n, -(2n ** 63n)));
    expect(asked).toEqual([
      [0n, 60],
      [5n, 60],
      [1n, Number.MAX_SAFE_INTEGER],
      [1n, 0],
    ]);
    expect(call("LeaseGrant", Uint8Array.of(0xff)).status).toMatchObject({ code: 13 });
  });

  test("revoke goes through the log; bytes that are no request do not", () => {
    const { call, asked } = setUp();
    const { answer } = call("LeaseRevoke", LeaseRevokeRequest.encode({ ID: 3n }).finish());
    expect(LeaseRevokeResponse.decode(answer ?? new Uint8Array(0)).header?.revision).toBe(10n);
    expect(
      call("LeaseRevoke", LeaseRevokeRequest.encode({ ID: 5n }).finish()).status,
    ).toMatchObject({
      code: 5,
      message: "etcdserver: requested lease not found",
    });
    expect(call("LeaseRevoke", Uint8Array.of(0xff, 1)).status).toMatchObject({ code: 13 });
    expect(asked).toEqual([
      [9, 3n],
      [9, 5n],
    ]);
    const refusing = setUp({ isQueueFull: () => true });
    expect(refusing.call("LeaseRevoke", new Uint8Array(0)).status).toMatchObject({
      message: "etcdserver: too many requests",
    });
  });

  test("time to live, of unknown leases too, and the list", () => {
    const { call } = setUp();
    const ask = (ID: bigint, keys: boolean) => {
      const { answer } = call(
        "LeaseTimeToLive",
        LeaseTimeToLiveRequest.encode({ ID, keys }).finish(),
      );
      const { header, ...rest } = LeaseTimeToLiveResponse.decode(answer ?? new Uint8Array(0));
      expect(header?.revision).toBe(9n);
      return rest;
    };
    expect(ask(1n, true)).toEqual({ ID: 1n, TTL: 6n, grantedTTL: 10n, keys: [Buffer.from("a")] });
    expect(ask(1n, false).keys).toEqual([]);
    expect(ask(5n, true)).toEqual({ ID: 5n, TTL: -1n, grantedTTL: 0n, keys: [] });
    const { answer } = call("LeaseLeases", new Uint8Array(0));
    const { leases } = LeaseLeasesResponse.decode(answer ?? new Uint8Array(0));
    expect(leases).toEqual([{ ID: -3n }, { ID: 7n }]);
    expect(call("LeaseLeases", Uint8Array.of(0x0a, 5)).status).toEqual({
      code: 13,
      message: "grpc: error unmarshalling request: unexpected EOF",
    });
  });

  test("a learner and a member without a leader refuse", () => {
    const learner = setUp({ isLearner: () => true });
    expect(learner.call("LeaseLeases", new Uint8Array(0)).status).toMatchObject({
      message: "etcdserver: rpc not supported for learner",
    });
    const leaderless = setUp({ hasLeader: () => false });
    expect(leaderless.call("LeaseGrant", grantRequest(0n, 1n)).status).toMatchObject({
      message: "etcdserver: no leader",
    });
  });
});

describe("keep-alive stream", () => {
  function open(more: Partial<Record<keyof Member, unknown>> = {}) {
    const parts = setUp({}, more);
    const state = { answers: [] as string[], ended: "" };
    /** How many answers the transport takes before it is full. */
    const transport = { room: Number.POSITIVE_INFINITY };
    type Event = "message" | "halfClose" | "cancel" | "drain";
    let handlers: Partial<Record<Event, (of: never) => void>> = {};
    const call: Partial<StreamCall> = {
      metadata: () => undefined,
      send: (message) => {
        const { ID, TTL } = LeaseKeepAliveResponse.decode(message);
        state.answers.push(`${ID}:${TTL}`);
        transport.room -= 1;
        return transport.room > 0;
      },
      fail: ({ message }) => {
        state.ended ||= message;
      },
      end: () => {
        state.ended ||= "OK";
      },
      onMessage: (fn) => {
        handlers = { ...handlers, message: fn };
      },
      onHalfClose: (fn) => {
        handlers = { ...handlers, halfClose: fn };
      },
      onCancel: (fn) => {
        handlers = { ...handlers, cancel: fn };
      },
      onDrain: (fn) => {
        handlers = { ...handlers, drain: fn };
      },
    };
    const method = parts.method("LeaseKeepAlive");
    if (method.kind === "bidi") method.handle(call as StreamCall);
    const renew = (ID: bigint) =>
      handlers.message?.(LeaseKeepAliveRequest.encode({ ID }).finish() as never);
    return { ...parts, state, transport, renew, raw: handlers };
  }

  test("the leader is asked for all at once; answers come in order, and the end after the last", () => {
    const { renewals, state, renew, raw } = open();
    for (const id of [1n, 2n, 3n]) renew(id);
    expect(renewals.map(({ id }) => id)).toEqual([1n, 2n, 3n]);
    renewals[0]?.done({ ttl: 10 });
    raw.halfClose?.(undefined as never);
    renewals[1]?.done({ ttl: 0 });
    expect(state.ended).toBe("");
    renewals[2]?.done({ ttl: 30 });
    expect(state).toEqual({ answers: ["1:10", "2:0", "3:30"], ended: "OK" });
  });

  test("an answer before its turn is not kept: the lease is renewed again when its turn has come", () => {
    const { renewals, state, renew } = open();
    for (const id of [1n, 2n, 3n]) renew(id);
    renewals[1]?.done({ ttl: 20 });
    renewals[2]?.done(new KvError("timeout"));
    expect(state).toEqual({ answers: [], ended: "" });
    renewals[0]?.done({ ttl: 10 });
    expect(renewals.map(({ id }) => id)).toEqual([1n, 2n, 3n, 2n]);
    renewals[3]?.done({ ttl: 21 });
    renewals[4]?.done({ ttl: 30 });
    expect(state).toEqual({ answers: ["1:10", "2:21", "3:30"], ended: "" });
  });

  test("an error of the member ends the stream, a cancel silences it", () => {
    const failing = open();
    for (const id of [1n, 2n]) failing.renew(id);
    failing.renewals[0]?.done(new KvError("timeout" satisfies ErrorReason));
    expect(failing.state).toEqual({ answers: [], ended: "etcdserver: request timed out" });
    failing.renewals[1]?.done({ ttl: 10 });
    failing.renew(3n);
    expect(failing.renewals).toHaveLength(2);
    expect(failing.state.answers).toEqual([]);
    const gone = open();
    gone.renew(1n);
    gone.raw.cancel?.(undefined as never);
    gone.renewals[0]?.done({ ttl: 10 });
    gone.raw.message?.(Uint8Array.of(0xff) as never);
    expect(gone.state).toEqual({ answers: [], ended: "" });
  });

  test("a client that does not read gets no more answers until it does", () => {
    const { state, transport, renew, raw } = open({
      leaseKeepAlive: (_: unknown, _id: bigint, done: KeepAliveDone) => done({ ttl: 5 }),
    });
    transport.room = 2;
    for (const id of [1n, 2n, 3n, 4n, 5n]) renew(id);
    raw.halfClose?.(undefined as never);
    expect(state).toEqual({ answers: ["1:5", "2:5"], ended: "" });
    transport.room = 2;
    raw.drain?.(undefined as never);
    expect(state).toEqual({ answers: ["1:5", "2:5", "3:5", "4:5"], ended: "" });
    transport.room = 2;
    raw.drain?.(undefined as never);
    expect(state).toEqual({ answers: ["1:5", "2:5", "3:5", "4:5", "5:5"], ended: "OK" });
  });

  test("bytes that are no message end the stream, in the words for streams", () => {
    const { state, raw } = open();
    raw.message?.(Uint8Array.of(0x08) as never);
    expect(state.ended).toBe("grpc: failed to unmarshal the received message: unexpected EOF");
  });

  test("what came before such bytes is answered first, what comes after is not", () => {
    const { renewals, state, renew, raw } = open();
    renew(1n);
    renew(2n);
    raw.message?.(Uint8Array.of(0x08) as never);
    renew(3n);
    renewals[0]?.done({ ttl: 10 });
    expect(state.ended).toBe("");
    renewals[1]?.done({ ttl: 20 });
    renewals[2]?.done({ ttl: 30 });
    expect(state.answers).toEqual(["1:10", "2:20"]);
    expect(state.ended).toBe("grpc: failed to unmarshal the received message: unexpected EOF");
  });

  test("a long queue answered at once neither overflows the stack nor grows without limit", () => {
    const { renewals, state, renew, member } = open();
    for (let id = 0; id < 10_256; id += 1) renew(2n);
    expect(renewals).toHaveLength(256);
    Object.assign(member, {
      leaseKeepAlive: (_: unknown, _id: bigint, done: KeepAliveDone) => done({ ttl: 5 }),
    });
    for (const { done } of renewals) done({ ttl: 10 });
    expect(state.answers).toHaveLength(10_256);
    const flooded = open();
    for (let id = 0; id < 10_257; id += 1) flooded.renew(2n);
    expect(flooded.state.ended).toBe("etcdserver: too many requests");
  });
});
