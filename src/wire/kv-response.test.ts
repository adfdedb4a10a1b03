import fc from "fast-check";
import { expect, test } from "vitest";
import { type EncodedRows, kvsTag, prevKvsTag, RowPieces } from "./encoded-rows.js";
import { KeyValue } from "./gen/kv.js";
import {
  DeleteRangeResponse,
  PutResponse,
  RangeResponse,
  type ResponseHeader,
  type ResponseOp,
  TxnResponse,
} from "./gen/rpc.js";
import { KvResponseEncoder, type SplicedOutcome } from "./kv-response.js";
import { isInPieces, piecesOf } from "./kv-response-pieces.js";

const big = (max: bigint) => fc.bigInt({ min: 0n, max });
const int64 = 2n ** 63n - 1n;
const uint64 = 2n ** 64n - 1n;
const safe = fc.oneof(fc.nat(300), fc.maxSafeNat());
const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
const kv = fc
  .record({
    key: bytes,
    create_revision: big(int64),
    mod_revision: big(int64),
    version: big(int64),
    value: bytes,
    lease: big(int64),
  })
  .map((fields) => Uint8Array.from(KeyValue.encode(fields).finish()));
const kvs = fc.array(kv, { maxLength: 5 });

const { outcome } = fc.letrec<{ outcome: SplicedOutcome }>((tie) => ({
  outcome: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.record({ kind: fc.constant("range"), kvs, more: fc.boolean(), count: safe }),
    fc.record({ kind: fc.constant("put"), prevKv: fc.option(kv, { nil: undefined }) }),
    fc.record({ kind: fc.constant("deleteRange"), deleted: safe, prevKvs: kvs }),
    fc.record({
      kind: fc.constant("txn"),
      succeeded: fc.boolean(),
      responses: fc.array(fc.record({ revision: safe, outcome: tie("outcome") }), { maxLength: 4 }),
    }),
  ) as fc.Arbitrary<SplicedOutcome>,
}));

type Operation = NonNullable<ResponseOp["response"]>;

function toWire(of: SplicedOutcome, header: ResponseHeader): Operation {
  const decodeAll = (list: readonly Uint8Array[]) => list.map((item) => KeyValue.decode(item));
  switch (of.kind) {
    case "range": {
      const value = { header, kvs: decodeAll(of.kvs), more: of.more, count: BigInt(of.count) };
      return { $case: "response_range", value };
    }
    case "put": {
      const prev_kv = of.prevKv === undefined ? undefined : KeyValue.decode(of.prevKv);
      return { $case: "response_put", value: { header, prev_kv } };
    }
    case "deleteRange": {
      const value = { header, deleted: BigInt(of.deleted), prev_kvs: decodeAll(of.prevKvs) };
      return { $case: "response_delete_range", value };
    }
    case "txn": {
      const responses = of.responses.map(({ revision, outcome: nested }) => ({
        response: toWire(nested, headerOf(revision)),
      }));
      return { $case: "response_txn", value: { header, succeeded: of.succeeded, responses } };
    }
  }
}

function headerOf(revision: number): ResponseHeader {
  return { cluster_id: 0n, member_id: 0n, revision: BigInt(revision), raft_term: 0n };
}

function encodeGenerated(operation: Operation): Uint8Array {
  switch (operation.$case) {
    case "response_range":
      return RangeResponse.encode(operation.value).finish();
    case "response_put":
      return PutResponse.encode(operation.value).finish();
    case "response_delete_range":
      return DeleteRangeResponse.encode(operation.value).finish();
    case "response_txn":
      return TxnResponse.encode(operation.value).finish();
  }
}

test("every answer equals the generated codec's, byte for byte", () => {
  const head = fc.record({
    clusterId: big(uint64),
    memberId: big(uint64),
    revision: safe,
    raftTerm: safe,
  });
  fc.assert(
    fc.property(head, outcome, ({ clusterId, memberId, revision, raftTerm }, of) => {
      const encoder = new KvResponseEncoder({ clusterId, memberId });
      const header = {
        cluster_id: clusterId,
        member_id: memberId,
        revision: BigInt(revision),
        raft_term: BigInt(raftTerm),
      };
      const encoded = encoder.encode(of, revision, raftTerm);
      expect(Buffer.from(encoded).equals(encodeGenerated(toWire(of, header)))).toBe(true);
    }),
    { numRuns: 500 },
  );
});

test("rows that were gathered as bytes are the same message", () => {
  const row = (length: number): Uint8Array => {
    const fields = { key: Buffer.from("k"), value: Buffer.alloc(length, 7) };
    const numbers = { create_revision: 2n, mod_revision: 3n, version: 1n, lease: 0n };
    return KeyValue.encode({ ...fields, ...numbers }).finish();
  };
  for (const lengths of [[1_048_576], [1, 300_000, 2], [20_000, 20_000]]) {
    const rows = lengths.map(row);
    const gathered = new RowPieces(kvsTag);
    for (const one of rows) gathered.add(one);
    const encoded: EncodedRows = gathered.end();
    const range = { kind: "range", more: true, count: rows.length } as const;
    const encoder = new KvResponseEncoder({ clusterId: 1n, memberId: 2n });
    const whole = encoder.encode({ ...range, kvs: rows }, 5, 6);
    const spliced = encoder.encode({ ...range, kvs: [], encoded }, 5, 6);
    // `toEqual` would take seconds to compare a million elements.
    expect(Buffer.compare(spliced, whole)).toBe(0);
    const inTxn = (outcome: SplicedOutcome): SplicedOutcome => ({
      kind: "txn",
      succeeded: true,
      responses: [{ revision: 5, outcome }],
    });
    const splicedInTxn = encoder.encode(inTxn({ ...range, kvs: [], encoded }), 5, 6);
    const wholeInTxn = encoder.encode(inTxn({ ...range, kvs: rows }), 5, 6);
    expect(Buffer.compare(splicedInTxn, wholeInTxn)).toBe(0);

    const former = new RowPieces(prevKvsTag);
    for (const one of rows) former.add(one);
    const deletion = { kind: "deleteRange", deleted: rows.length } as const;
    const deleted = encoder.encode({ ...deletion, prevKvs: rows }, 5, 6);
    const many = { ...deletion, prevKvs: [], encoded: former.end() };
    expect(Buffer.compare(encoder.encode(many, 5, 6), deleted)).toBe(0);
    const header = encoder.encodeHeader(5, 6);
    expect(isInPieces(many)).toBe(true);
    expect(Buffer.compare(Buffer.concat(piecesOf(header, many)), deleted)).toBe(0);
    const nested = Buffer.concat(piecesOf(header, inTxn(many)));
    const nestedWhole = encoder.encode(inTxn({ ...deletion, prevKvs: rows }), 5, 6);
    expect(Buffer.compare(nested, nestedWhole)).toBe(0);
  }
});
