import fc from "fast-check";
import { expect, test } from "vitest";
import { compareBytes } from "../base/bytes.js";
import type { BackendReader } from "../platform/backend.js";
import { Bucket } from "../platform/rows.js";
import {
  type Cursor,
  decodeChunk,
  decodeCursor,
  encodeChunk,
  encodeCursor,
  firstCursor,
  readChunk,
} from "./row-chunk.js";

type Row = { readonly bucket: Bucket; readonly key: Uint8Array; readonly value: Uint8Array };

const anyRow = fc.record({
  bucket: fc.constantFrom(...Object.values(Bucket)),
  key: fc.uint8Array({ minLength: 1, maxLength: 6 }),
  value: fc.uint8Array({ maxLength: 60 }),
});
const anyRows = fc.uniqueArray(anyRow, {
  selector: (row) => `${row.bucket}/${row.key.join()}`,
  maxLength: 60,
});

function readerOf(rows: readonly Row[]): BackendReader {
  return {
    get: () => undefined,
    scan(bucket, { from }, visit) {
      const wanted = rows.filter(
        (row) => row.bucket === bucket && compareBytes(row.key, from) >= 0,
      );
      for (const row of wanted.sort((a, b) => compareBytes(a.key, b.key))) {
        if (!visit(row.key, row.value)) return;
      }
    },
  };
}

test("all rows arrive once and in order, whatever the size of the pieces", () => {
  fc.assert(
    fc.property(anyRows, fc.integer({ min: 1, max: 500 }), (rows, bytesMax) => {
      const seen: string[] = [];
      for (let at: Cursor | undefined = firstCursor; at !== undefined; ) {
        const sent = decodeCursor(encodeCursor(at)) as Cursor;
        const chunk = decodeChunk(encodeChunk(readChunk(readerOf(rows), sent, bytesMax)));
        expect(chunk).toBeDefined();
        for (const row of chunk?.rows ?? [])
          seen.push(`${row.bucket}/${row.key.join()}=${row.value?.join()}`);
        at = chunk?.next;
      }
      const wanted = [...rows]
        .sort((a, b) => a.bucket - b.bucket || compareBytes(a.key, b.key))
        .map((row) => `${row.bucket}/${row.key.join()}=${row.value.join()}`);
      expect(seen).toEqual(wanted);
    }),
  );
});

test("a flipped bit anywhere makes it no piece at all", () => {
  fc.assert(
    fc.property(anyRows, fc.nat(), fc.nat(7), (rows, place, bit) => {
      const bytes = encodeChunk(readChunk(readerOf(rows), firstCursor, 10_000));
      const at = place % bytes.length;
      bytes[at] = (bytes[at] as number) ^ (1 << bit);
      expect(decodeChunk(bytes)).toBeUndefined();
    }),
  );
});

test("garbage is no piece and no cursor", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      expect(decodeChunk(bytes)).toBeUndefined();
    }),
  );
  expect(decodeCursor(new Uint8Array(0))).toBeUndefined();
  expect(decodeCursor(Uint8Array.of(200, 1))).toBeUndefined();
});
