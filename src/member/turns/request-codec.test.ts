import fc from "fast-check";
import { expect, test } from "vitest";
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
      expect(read.header).toMatchObject({ ID: BigInt(id), proposer });
      expect(read.request).toEqual({ $case: "put", value: put });
    }),
  );
});
