import { describe, expect, test } from "vitest";
import { KvError } from "../base/errors.js";
import { gateMethods } from "../member/gate/gate.fixture.js";
import type { GateView } from "../member/gate/rules.js";
import type { Member } from "../member/types.js";
import { AuthTable } from "../state/auth/auth-table.js";
import type { AlarmRecord, Applied, Outcome } from "../state/types.js";
import { KeyValue } from "../wire/gen/kv.js";
import {
  CompactionRequest,
  CompactionResponse,
  Compare,
  DeleteRangeRequest,
  DeleteRangeResponse,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  type RequestOp,
  TxnRequest,
  TxnResponse,
} from "../wire/gen/rpc.js";
import { RequestField } from "../wire/proposal.js";
import { callUnary, filled } from "./call.fixture.js";
import { kvMethods } from "./kv.js";

const a = Buffer.from("a");
const storedKv = KeyValue.encode(
  filled(KeyValue, { key: a, value: Buffer.from("1"), mod_revision: 2n }),
).finish();
const header = { cluster_id: 1n, member_id: 2n, raft_term: 4n };

interface Asked {
  readonly field: number;
  readonly body: Uint8Array;
  readonly growthBytes: number;
}

function setUp(view: Partial<GateView> = {}) {
  const asked: Asked[] = [];
  const steps: string[] = [];
  const alarms: AlarmRecord[] = [];
  const next: { outcome: Outcome | KvError; barrier?: KvError } = {
    outcome: { kind: "put", prevKv: undefined },
  };
  const member = {
    id: 2n,
    clusterId: 1n,
    limits: { txnOpsMax: 4 },
    term: () => 4,
    leader: () => 2n,
    machine: {
      auth: new AuthTable(),
      kv: {
        revision: () => 9,
        range: (request: RangeRequest) => {
          steps.push("read");
          if (request.revision > 9n) throw new KvError("futureRevision");
          return { kind: "range", kvs: [storedKv], more: true, count: 7 };
        },
      },
    },
    readTxn: (_request: TxnRequest, _client: unknown, done: (of: unknown) => void) => {
      steps.push("read");
      const range = { kind: "range", kvs: [storedKv], more: false, count: 1 };
      const responses = [{ revision: 9, outcome: range }];
      const outcome = { kind: "txn", succeeded: true, responses };
      done({ outcome, revision: 9, close: () => {} });
    },
    compact: (
      _client: unknown,
      { revision, physical }: { revision: number; physical: boolean },
      done: (of: unknown) => void,
    ) => {
      steps.push(`compact ${revision} ${physical}`);
      done(revision > 9 ? new KvError("futureRevision") : 9);
    },
    ...gateMethods({
      view: { alarms: () => alarms, ...view },
      readBarrier: (done) => {
        steps.push("barrier");
        done(next.barrier);
      },
      propose: ({ field, body, growthBytes }, done) => {
        asked.push({ field, body, growthBytes });
        done({ revision: 10, outcome: next.outcome } as Applied);
      },
    }),
  } as unknown as Member;
  const methods = kvMethods(member);
  const call = (name: string, request: Uint8Array, metadata?: Record<string, string>) =>
    callUnary(methods, `/etcdserverpb.KV/${name}`, request, metadata);
  return { call, asked, steps, alarms, next };
}

const encodeRange = (of: Partial<RangeRequest>) =>
  RangeRequest.encode(filled(RangeRequest, of)).finish();
const encodePut = (of: Partial<PutRequest>) => PutRequest.encode(filled(PutRequest, of)).finish();
const encodeTxn = (of: Partial<TxnRequest>) => TxnRequest.encode(filled(TxnRequest, of)).finish();
const put = (key: string, value = ""): RequestOp => ({
  request: {
    $case: "request_put",
    value: filled(PutRequest, { key: Buffer.from(key), value: Buffer.from(value) }),
  },
});
const remove = (key: string, end = ""): RequestOp => ({
  request: {
    $case: "request_delete_range",
    value: filled(DeleteRangeRequest, { key: Buffer.from(key), range_end: Buffer.from(end) }),
  },
});
const range = (key: string, of: Partial<RangeRequest> = {}): RequestOp => ({
  request: {
    $case: "request_range",
    value: filled(RangeRequest, { key: Buffer.from(key), ...of }),
  },
});
const txn = (success: RequestOp[], failure: RequestOp[] = []): RequestOp => ({
  request: { $case: "request_txn", value: { compare: [], success, failure } },
});

describe("range", () => {
  test("after a barrier, or at once when serializable", () => {
    const { call, steps } = setUp();
    const { answer } = call("Range", encodeRange({ key: a }));
    expect(RangeResponse.decode(answer ?? new Uint8Array(0))).toEqual({
      header: { ...header, revision: 9n },
      kvs: [KeyValue.decode(storedKv)],
      more: true,
      count: 7n,
    });
    expect(steps).toEqual(["barrier", "read"]);
    steps.length = 0;
    call("Range", encodeRange({ key: a, serializable: true }));
    expect(steps).toEqual(["read"]);
  });

  test("refusals: of the form, of the barrier, of the read", () => {
    const { call, steps } = setUp();
    expect(call("Range", encodeRange({})).status).toEqual({
      code: 3,
      message: "etcdserver: key is not provided",
    });
    for (const of of [{ sort_order: 3 }, { sort_target: 5 }, { sort_target: -1 }]) {
      expect(call("Range", encodeRange({ key: a, ...of } as object)).status).toEqual({
        code: 3,
        message: "etcdserver: invalid sort option",
      });
    }
    expect(steps).toEqual([]);
    expect(call("Range", encodeRange({ key: a, revision: 10n })).status).toEqual({
      code: 11,
      message: "etcdserver: mvcc: required revision is a future revision",
    });
    expect(call("Range", Uint8Array.of(0x0a, 9)).status).toMatchObject({ code: 13 });
    const cut = setUp();
    cut.next.barrier = new KvError("timeout");
    expect(cut.call("Range", encodeRange({ key: a })).status).toMatchObject({ code: 14 });
  });

  test("a learner answers serializable ranges alone; a wish for a leader is heeded", () => {
    const learner = setUp({ isLearner: () => true, hasLeader: () => false });
    const local = encodeRange({ key: a, serializable: true });
    expect(learner.call("Range", local).answer).toBeDefined();
    expect(learner.call("Range", local, { hasleader: "true" }).status).toMatchObject({ code: 14 });
    for (const name of ["Range", "Put", "Txn", "DeleteRange", "Compact"]) {
      expect(learner.call(name, encodeRange({ key: a })).status).toEqual({
        code: 9,
        message: "etcdserver: rpc not supported for learner",
      });
    }
    const orphan = setUp({ hasLeader: () => false });
    expect(orphan.call("Put", encodePut({ key: a }), { hasleader: "true" }).status).toEqual({
      code: 14,
      message: "etcdserver: no leader",
    });
    expect(orphan.asked).toEqual([]);
  });
});

describe("writes", () => {
  test("put: the very bytes go to the log, with their quota cost", () => {
    const { call, asked, next } = setUp();
    const bytes = encodePut({ key: a, value: Buffer.from("xyz") });
    const { answer } = call("Put", bytes);
    expect(asked).toEqual([{ field: RequestField.put, body: bytes, growthBytes: 256 + 4 }]);
    expect(PutResponse.decode(answer ?? new Uint8Array(0))).toEqual({
      header: { ...header, revision: 10n },
      prev_kv: undefined,
    });
    next.outcome = { kind: "put", prevKv: storedKv };
    const second = call("Put", encodePut({ key: a, prev_kv: true }));
    expect(PutResponse.decode(second.answer ?? new Uint8Array(0)).prev_kv?.mod_revision).toBe(2n);
    next.outcome = new KvError("leaseNotFound");
    expect(call("Put", encodePut({ key: a, lease: 5n })).status).toMatchObject({ code: 5 });
  });

  test("put: refused forms never reach the log", () => {
    const { call, asked } = setUp();
    const texts = [
      encodePut({ value: a }),
      encodePut({ key: a, value: a, ignore_value: true }),
      encodePut({ key: a, lease: 1n, ignore_lease: true }),
    ].map((bytes) => call("Put", bytes).status?.message);
    expect(texts).toEqual([
      "etcdserver: key is not provided",
      "etcdserver: value is provided",
      "etcdserver: lease is provided",
    ]);
    expect(call("Put", Uint8Array.of(0x0a, 200)).status).toMatchObject({ code: 13 });
    expect(asked).toEqual([]);
  });

  test("delete: free of quota; what was deleted", () => {
    const { call, asked, next } = setUp();
    next.outcome = { kind: "deleteRange", deleted: 2, prevKvs: [storedKv, storedKv] };
    const bytes = DeleteRangeRequest.encode({ key: a, range_end: a, prev_kv: true }).finish();
    const { answer } = call("DeleteRange", bytes);
    expect(DeleteRangeResponse.decode(answer ?? new Uint8Array(0))).toMatchObject({
      deleted: 2n,
      prev_kvs: [{ mod_revision: 2n }, { mod_revision: 2n }],
    });
    expect(asked).toEqual([{ field: RequestField.deleteRange, body: bytes, growthBytes: 0 }]);
    expect(call("DeleteRange", new Uint8Array(0)).status).toMatchObject({ code: 3 });
  });

  test("compact: the revision and whether to wait", () => {
    const { call, steps } = setUp();
    const encode = (revision: bigint, physical: boolean) =>
      CompactionRequest.encode({ revision, physical }).finish();
    const { answer } = call("Compact", encode(5n, true));
    expect(CompactionResponse.decode(answer ?? new Uint8Array(0)).header?.revision).toBe(9n);
    expect(call("Compact", encode(50n, false)).status).toMatchObject({ code: 11 });
    expect(steps).toEqual(["compact 5 true", "compact 50 false"]);
  });

  test("a corrupt cluster serves neither reads nor writes; lack of space is the log's matter", () => {
    const { call, alarms, asked } = setUp();
    alarms.push({ memberId: 3n, alarm: "NOSPACE" });
    expect(call("Put", encodePut({ key: a })).answer).toBeDefined();
    alarms.push({ memberId: 3n, alarm: "CORRUPT" });
    for (const name of ["Range", "Put", "Txn", "DeleteRange", "Compact"]) {
      expect(call(name, encodeRange({ key: a, serializable: true })).status).toEqual({
        code: 15,
        message: "etcdserver: corrupt cluster",
      });
    }
    expect(asked).toHaveLength(1);
  });
});

describe("transactions", () => {
  const faultOf = (of: Partial<TxnRequest>) => {
    const { call, asked, steps } = setUp();
    const { status } = call("Txn", encodeTxn(of));
    if (status !== undefined) expect([...asked, ...steps]).toEqual([]);
    return status?.message.replace("etcdserver: ", "");
  };

  test("reads alone do not touch the log", () => {
    const { call, asked, steps } = setUp();
    const { answer } = call("Txn", encodeTxn({ success: [range("a")], failure: [] }));
    const decoded = TxnResponse.decode(answer ?? new Uint8Array(0));
    expect(decoded).toMatchObject({ header: { ...header, revision: 9n }, succeeded: true });
    expect(decoded.responses[0]?.response).toMatchObject({
      $case: "response_range",
      value: { count: 1n, header: { revision: 9n } },
    });
    const local = { serializable: true };
    call("Txn", encodeTxn({ success: [range("a", local)], failure: [range("b", local)] }));
    call("Txn", encodeTxn({ success: [range("a", local)], failure: [range("b")] }));
    call("Txn", encodeTxn({}));
    expect(steps).toEqual(["barrier", "read", "read", "barrier", "read", "read"]);
    expect(asked).toEqual([]);
  });

  test("anything else does, a nested one of reads too; the dearer branch is its cost", () => {
    const { call, asked, next } = setUp();
    next.outcome = { kind: "txn", succeeded: false, responses: [] };
    call("Txn", encodeTxn({ success: [txn([range("a")])] }));
    const branches = { success: [put("a", "12345")], failure: [put("b"), txn([put("c", "1")])] };
    call("Txn", encodeTxn(branches));
    call("Txn", encodeTxn({ success: [remove("a")] }));
    expect(asked.map(({ field, growthBytes }) => [field, growthBytes])).toEqual([
      [RequestField.txn, 0],
      [RequestField.txn, 257 + 258],
      [RequestField.txn, 0],
    ]);
    expect(asked[1]?.body).toEqual(encodeTxn(branches));
  });

  test("operations: a budget shared with nested ones", () => {
    expect(faultOf({ success: [1, 2, 3, 4].map((n) => put(`${n}`)) })).toBeUndefined();
    expect(faultOf({ success: [1, 2, 3, 4, 5].map((n) => put(`${n}`)) })).toBe(
      "too many operations in txn request",
    );
    const three = [put("1"), put("2"), put("3")];
    expect(faultOf({ failure: [txn(three)] })).toBeUndefined();
    expect(faultOf({ failure: [range("r"), txn(three)] })).toBe(
      "too many operations in txn request",
    );
  });

  test("forms of the parts, in both branches and below", () => {
    const compare = filled(Compare, {});
    expect(faultOf({ compare: [compare] })).toBe("key is not provided");
    expect(faultOf({ success: [{ request: undefined }] })).toBe("key not found");
    expect(faultOf({ failure: [put("")] })).toBe("key is not provided");
    expect(faultOf({ success: [txn([], [remove("")])] })).toBe("key is not provided");
    expect(faultOf({ success: [range("a", { sort_order: 9 as never })] })).toBe(
      "invalid sort option",
    );
  });

  const duplicate = "duplicate key given in txn request";
  test.each<[string, Partial<TxnRequest>, string | undefined]>([
    ["two puts", { success: [put("a"), put("a")] }, duplicate],
    ["two puts in the failure branch", { failure: [put("a"), put("a")] }, duplicate],
    ["one in each branch", { success: [put("a")], failure: [put("a")] }, undefined],
    ["put and its delete", { success: [remove("a"), put("a")] }, duplicate],
    ["the next key", { success: [remove("a"), put("a\0")] }, undefined],
    ["put in a deleted range", { success: [put("bz"), remove("b", "c")] }, duplicate],
    ["put at its end", { success: [put("c"), remove("b", "c")] }, undefined],
    ["put before it", { success: [put("az"), remove("b", "c")] }, undefined],
    ["two deletes", { success: [remove("a", "c"), remove("b", "d")] }, undefined],
    [
      "in overlapping deletes",
      { success: [remove("b", "d"), remove("a", "c"), put("cc")] },
      duplicate,
    ],
    ["delete from a key on", { success: [remove("a", "\0"), put("c")] }, undefined],
    ["nested put and ours", { success: [txn([put("a")]), put("a")] }, duplicate],
    ["nested else-put and ours", { success: [txn([], [put("a")]), put("a")] }, duplicate],
    ["both branches of one nested", { success: [txn([put("a")], [put("a")])] }, undefined],
    ["two nested", { success: [txn([put("a")]), txn([put("a")])] }, duplicate],
    ["nested put, our delete", { success: [txn([put("a")]), remove("a")] }, duplicate],
    ["nested delete, our put", { success: [txn([remove("a")]), put("a")] }, duplicate],
    [
      "a deleted range below, then a put",
      { success: [txn([remove("a", "c")]), txn([put("b")])] },
      duplicate,
    ],
    [
      "the same, the other way round",
      { success: [txn([put("b")]), txn([remove("a", "c")])] },
      undefined,
    ],
  ])("duplicate keys: %s", (_name, request, fault) => {
    expect(faultOf(request)).toBe(fault);
  });

  test("damaged, or nested beyond the limit: no message", () => {
    const { call } = setUp();
    expect(call("Txn", Uint8Array.of(0x12, 99)).status).toMatchObject({ code: 13 });
    expect(call("Txn", Buffer.alloc(60_000, Uint8Array.of(0x12, 0x7f, 0x22, 0x7f))).status).toEqual(
      {
        code: 13,
        message: "grpc: error unmarshalling request: unexpected EOF",
      },
    );
  });
});
