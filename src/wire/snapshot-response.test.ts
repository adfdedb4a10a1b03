import fc from "fast-check";
import { expect, test } from "vitest";
import { SnapshotResponse } from "./gen/rpc.js";
import { encodeSnapshotPiece } from "./snapshot-response.js";

test("a piece has the bytes of the generated encoder", () => {
  const blobs = fc.uint8Array({ maxLength: 300 });
  const sizes = fc.maxSafeNat();
  fc.assert(
    fc.property(blobs, sizes, fc.constantFrom("", "3.5", "3.6.0"), (blob, remaining, version) => {
      const bytes = encodeSnapshotPiece(blob, remaining, new TextEncoder().encode(version));
      const expected = SnapshotResponse.encode({
        header: undefined,
        remaining_bytes: BigInt(remaining),
        blob: Buffer.from(blob),
        version,
      }).finish();
      expect(Buffer.from(bytes).toString("hex")).toBe(Buffer.from(expected).toString("hex"));
    }),
  );
});
