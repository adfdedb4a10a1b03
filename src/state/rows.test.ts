import fc from "fast-check";
import { expect, test } from "vitest";
import { crc32c } from "../base/crc32c.js";
import type { BackendReader } from "../platform/backend.js";
import { Bucket } from "../platform/rows.js";
import { JournalBackend } from "./machine.fixture.js";
import { openRow, RowReader, sealRow } from "./rows.js";

const key = fc.uint8Array({ minLength: 1, maxLength: 30 });
const value = fc.uint8Array({ maxLength: 100 });

test("the stored form is the value and CRC-32C of bucket, key length, key and value", () => {
  fc.assert(
    fc.property(key, value, (k, v) => {
      const stored = sealRow(Bucket.lease, k, v);
      const covered = Buffer.concat([Uint8Array.of(Bucket.lease, k.length, 0), k, v]);
      const check = Buffer.alloc(4);
      check.writeUInt32LE(crc32c(covered));
      expect(Buffer.from(stored)).toEqual(Buffer.concat([v, check]));
      expect(openRow(Bucket.lease, k, stored)).toEqual(v);
    }),
  );
});

test("any flipped bit, another key, another bucket, a cut: all are found", () => {
  fc.assert(
    fc.property(key, value, fc.nat(), (k, v, at) => {
      const stored = sealRow(Bucket.key, k, v);
      const damaged = stored.slice();
      const bit = at % (damaged.length * 8);
      damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(() => openRow(Bucket.key, k, damaged)).toThrow(/bucket "key" fails its check value/);
      const otherKey = k.slice();
      otherKey[at % k.length] = (otherKey[at % k.length] as number) ^ 1;
      expect(() => openRow(Bucket.key, otherKey, stored)).toThrow("fails its check value");
      expect(() => openRow(Bucket.lease, k, stored)).toThrow('bucket "lease"');
      expect(() => openRow(Bucket.key, k, stored.subarray(1))).toThrow("fails its check value");
      expect(() => openRow(Bucket.key, k, new Uint8Array(3))).toThrow("fails its check value");
    }),
  );
});

test("a reader verifies every row, found or scanned, and names the damaged one", () => {
  const backend = new JournalBackend();
  const good = Uint8Array.of(1);
  const bad = Uint8Array.of(0xab, 0x02);
  backend.write([
    { bucket: Bucket.alarm, key: good, value: sealRow(Bucket.alarm, good, Uint8Array.of(9)) },
    { bucket: Bucket.alarm, key: bad, value: sealRow(Bucket.alarm, good, Uint8Array.of(9)) },
  ]);
  const rows = new RowReader(backend);
  expect(rows.get(Bucket.alarm, good)).toEqual(Uint8Array.of(9));
  expect(rows.get(Bucket.alarm, Uint8Array.of(7))).toBeUndefined();
  expect(() => rows.get(Bucket.alarm, bad)).toThrow("key ab02");
  const seen: Uint8Array[] = [];
  const scan = (): void =>
    rows.scan(Bucket.alarm, { from: Uint8Array.of(0) }, (_key, each) => {
      seen.push(each);
      return true;
    });
  expect(scan).toThrow("key ab02");
  expect(seen).toEqual([Uint8Array.of(9)]);
});

test("rows of any lengths on loan from one buffer: each has its own value", () => {
  const key = Uint8Array.of(7);
  const stored = [3, 1, 3, 0, 1, 5_000, 3, 5_000].map((size, at) =>
    sealRow(Bucket.lease, key, new Uint8Array(size).fill(at)),
  );
  const lender = { get: () => undefined, scan: lend(stored) };
  const rows = new RowReader(lender);
  for (let times = 0; times < 2; times++) {
    const seen: string[] = [];
    rows.scan(Bucket.lease, { from: key, isLent: true }, (_key, value) => {
      seen.push(`${value.length} of ${value[0]}`);
      return true;
    });
    expect(seen).toEqual([
      ...["3 of 0", "1 of 1", "3 of 2", "0 of undefined", "1 of 4"],
      ...["5000 of 5", "3 of 6", "5000 of 7"],
    ]);
  }
});

/** Copies each row into one buffer and shows it by one array for each length, as LMDB's lender does. */
function lend(stored: readonly Uint8Array[]): BackendReader["scan"] {
  const buffer = new ArrayBuffer(6_000);
  const views = new Map<number, Uint8Array>();
  return (_bucket, { from }, visit) => {
    for (const [at, row] of stored.entries()) {
      // Rows that are not stored yet come by arrays of their own.
      const isOwn = at % 3 === 2;
      const view = views.get(row.length) ?? new Uint8Array(buffer, 0, row.length);
      if (!isOwn) {
        views.set(row.length, view);
        view.set(row);
      }
      if (!visit(from, isOwn ? row : view)) return;
    }
  };
}
