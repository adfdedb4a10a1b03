import fc from "fast-check";
import { expect, test } from "vitest";
import {
  decodeEnvelope,
  failureEnvelope,
  raftEnvelope,
  requestEnvelope,
  responseEnvelope,
} from "./codec.js";

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
