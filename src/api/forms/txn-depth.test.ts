import fc from "fast-check";
import { expect, test } from "vitest";
import { TxnRequest } from "../../wire/gen/rpc.js";
import { nestsDeeperThan } from "./txn-depth.js";

/** A transaction with this many others inside one another. */
function nested(depth: number): TxnRequest {
  const empty: TxnRequest = { compare: [], success: [], failure: [] };
  let txn = empty;
  for (let level = 0; level < depth; level++) {
    const op = { request: { $case: "request_txn" as const, value: txn } };
    txn = level % 2 === 0 ? { ...empty, success: [op] } : { ...empty, failure: [op] };
  }
  return txn;
}

function depthOf(txn: TxnRequest): number {
  let depth = 0;
  for (const { request } of [...txn.success, ...txn.failure]) {
    if (request?.$case === "request_txn") depth = Math.max(depth, 1 + depthOf(request.value));
  }
  return depth;
}

test("the limit is exact, in both branches", () => {
  const bytes = TxnRequest.encode(nested(20)).finish();
  expect(nestsDeeperThan(bytes, 20)).toBe(false);
  expect(nestsDeeperThan(bytes, 19)).toBe(true);
});

test("nesting that a later field hides from the decoder counts", () => {
  const deep = TxnRequest.encode(nested(9)).finish();
  const put = Uint8Array.of(0x12, 0);
  const op = Buffer.concat([Uint8Array.of(0x22, deep.length), deep, put]);
  const bytes = Buffer.concat([Uint8Array.of(0x12, op.length), op]);
  expect(depthOf(TxnRequest.decode(bytes))).toBe(0);
  expect(nestsDeeperThan(bytes, 9)).toBe(true);
});

test("a hundred thousand levels are refused without being followed", () => {
  let bytes: Buffer = Buffer.alloc(0);
  const tail = Buffer.alloc(200_000, Uint8Array.of(0x12, 0x7f, 0x22, 0x7f));
  bytes = Buffer.concat([bytes, tail]);
  expect(nestsDeeperThan(bytes, 128)).toBe(true);
});

test("never calls shallow what the decoder sees deep, whatever the bytes", () => {
  // Mostly tags and small lengths, so that nesting occurs.
  const byte = fc.oneof(
    fc.constantFrom(0x12, 0x1a, 0x22, 0x92, 0x80, 0x01, 0x00, 0x13, 0x14),
    fc.nat(40),
    fc.nat(255),
  );
  const soup = fc.array(byte, { maxLength: 60 }).map((list) => Uint8Array.from(list));
  let decoded = 0;
  fc.assert(
    fc.property(soup, fc.nat(2), (bytes, depthMax) => {
      let depth: number;
      try {
        depth = depthOf(TxnRequest.decode(bytes));
      } catch {
        return;
      }
      decoded++;
      if (depth > depthMax) expect(nestsDeeperThan(bytes, depthMax)).toBe(true);
    }),
    { numRuns: 5_000 },
  );
  expect(decoded).toBeGreaterThan(50);
});
