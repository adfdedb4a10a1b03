import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { nodeHash } from "./hash.js";

test("the hashes are those of a stream, with and without bytes to write to", () => {
  const into = new Uint8Array(32);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 5_000 }), (bytes) => {
      const expected = createHash("sha256").update(bytes).digest();
      expect(expected.equals(nodeHash.sha256(bytes))).toBe(true);
      expect(nodeHash.sha256(bytes, into)).toBe(into);
      expect(expected.equals(into)).toBe(true);
      expect(createHash("sha1").update(bytes).digest().equals(nodeHash.sha1(bytes))).toBe(true);
      const stream = nodeHash.createSha256();
      stream.update(bytes.subarray(0, bytes.length >> 1));
      stream.update(bytes.subarray(bytes.length >> 1));
      expect(expected.equals(stream.digest())).toBe(true);
    }),
  );
});
