import fc from "fast-check";
import { expect, test } from "vitest";
import {
  decodeEnvelope,
  failureEnvelope,
  raftEnvelope,
  requestEnvelope,
  responseEnvelope,
} from "../../peers/codec.js";
import { InternalRequest } from "../../wire/gen/internal.js";
import { PutRequest } from "../../wire/gen/rpc.js";
import { openRequest } from "../../wire/internal-request.js";
import { RequestField } from "../../wire/proposal.js";
import { EntryEncoder } from "./request-codec.js";

const anyId = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const anyRequestId = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const anyField = fc.constantFrom(...Object.values(RequestField));

test("an entry opens to what was put in, for every field, id and size", () => {
  fc.assert(
    fc.property(
      anyId,
      anyRequestId,
      anyField,
      fc.uint8Array({ maxLength: 400 }),
      (proposer, id, field, body) => {
        const opened = openRequest(new EntryEncoder(proposer).encode(id, field, body));
        expect(opened).toMatchObject({ requestId: id, proposer, field });
        expect([...opened.body]).toEqual([...body]);
      },
    ),
  );
});

test("an entry is what the generated codec reads", () => {
  fc.assert(
    fc.property(anyId, anyRequestId, fc.uint8Array(), (proposer, id, bytes) => {
      const put = {
        key: Buffer.from(bytes),
        value: Buffer.from("v"),
        lease: 5n,
        prev_kv: true,
        ignore_value: false,
        ignore_lease: false,
      };
      const body = PutRequest.encode(put).finish();
      const read = InternalRequest.decode(
        new EntryEncoder(proposer).encode(id, RequestField.put, body),
      );
      expect(read.header).toEqual({ ID: BigInt(id), proposer });
      expect(read.request).toEqual({ $case: "put", value: put });
    }),
  );
});

test("peer envelopes come back; anything else is nothing, never an exception", () => {
  const body = Uint8Array.of(1, 2, 3);
  const bare = { kind: "raft", message: body, fingerprint: undefined };
  expect(decodeEnvelope(raftEnvelope(body, undefined))).toEqual(bare);
  const rows = new Uint8Array(16).fill(7);
  const numbers = { index: 2 ** 40, revision: 2 ** 33, compactRevision: -1, logChain: 2 ** 32 - 1 };
  const fingerprint = { version: 1, rows, ...numbers };
  const proven = raftEnvelope(body, fingerprint);
  expect(decodeEnvelope(proven)).toEqual({ kind: "raft", message: body, fingerprint });
  expect(decodeEnvelope(proven.subarray(0, 40))).toBeUndefined();
  expect(decodeEnvelope(requestEnvelope(2 ** 40, 3, body))).toEqual({
    kind: "request",
    id: 2 ** 40,
    method: 3,
    body,
  });
  expect(decodeEnvelope(responseEnvelope(7, body))).toEqual({
    kind: "response",
    id: 7,
    error: undefined,
    body,
  });
  expect(decodeEnvelope(failureEnvelope(7, "notLeader"))).toMatchObject({
    id: 7,
    error: "notLeader",
  });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      decodeEnvelope(bytes);
    }),
  );
});
