import fc from "fast-check";
import { expect, test } from "vitest";
import { InternalRequest } from "./gen/internal.js";
import { PutRequest } from "./gen/rpc.js";
import { type OpenedRequest, openPut, openRequest } from "./internal-request.js";

const put = fc.record({
  key: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  value: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  lease: fc.oneof(fc.constant(0n), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
  prev_kv: fc.boolean(),
  ignore_value: fc.boolean(),
  ignore_lease: fc.boolean(),
});
const plainPut = put.map(({ key, value }) => ({
  key,
  value,
  lease: 0n,
  prev_kv: false,
  ignore_value: false,
  ignore_lease: false,
}));

test("opens what the generated codec writes", () => {
  fc.assert(
    fc.property(
      fc.oneof(put, plainPut),
      fc.maxSafeNat(),
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      (request, id, proposer) => {
        const opened = openRequest(
          InternalRequest.encode({
            header: { ID: BigInt(id), proposer, username: "", auth_revision: 0n },
            request: { $case: "put", value: request },
          }).finish(),
        );
        expect(opened).toMatchObject({ requestId: id, proposer, field: 4 });
        const fields = openPut(opened.body);
        expect({
          ...fields,
          key: Buffer.from(fields.key),
          value: Buffer.from(fields.value),
        }).toEqual(request);
      },
    ),
    { numRuns: 500 },
  );
});

test("without a header nobody waits", () => {
  const value = PutRequest.decode(new Uint8Array(0));
  const data = InternalRequest.encode({ header: undefined, request: { $case: "put", value } });
  const { requestId, proposer, field } = openRequest(data.finish());
  expect([requestId, proposer, field]).toEqual([0, 0n, 4]);
});

test("a damaged entry is never skipped or half read", () => {
  const data = InternalRequest.encode({
    header: { ID: 300n, proposer: 9n, username: "", auth_revision: 0n },
    request: {
      $case: "put",
      value: { ...PutRequest.decode(new Uint8Array(0)), key: Buffer.from("key") },
    },
  }).finish();
  for (let cut = 1; cut < data.length; cut++) {
    let part: OpenedRequest | undefined;
    try {
      part = openRequest(data.subarray(0, cut));
    } catch (error) {
      expect((error as Error).name).toBe("InvariantViolation");
    }
    // A message that is cut behind the header has no request at all, which no machine can apply.
    if (part !== undefined) expect([part.field, part.body.length]).toEqual([0, 0]);
  }
  expect(() => openRequest(Uint8Array.of(0x20, 0x01))).toThrow("an unknown entry");
  expect(() => openPut(Uint8Array.of(0x0a, 0x05, 0x61))).toThrow("cannot be decoded");
});
