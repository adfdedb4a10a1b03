import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareBytes } from "../../base/bytes.js";
import { KvError } from "../../base/errors.js";
import { InvariantViolation } from "../../base/invariant.js";
import { Bucket } from "../../platform/rows.js";
import { grantedRange, KeyRanges } from "../auth/key-ranges.js";
import { Rows } from "../rows.fixture.js";
import { runThrough, Work } from "../work.js";
import { decodeLeaseRow, encodeLeaseRow } from "./lease-row.js";
import { LeaseTable } from "./lease-table.js";

const key = (text: string) => new TextEncoder().encode(text);
const texts = (keys: readonly Uint8Array[] | KvError) =>
  keys instanceof KvError ? keys.reason : keys.map((bytes) => Buffer.from(bytes).toString());
const reason = (outcome: unknown) => (outcome instanceof KvError ? outcome.reason : "accepted");

/** Revokes a lease as an entry does. */
function revoke(table: LeaseTable, rows: Rows, id: bigint): KvError | readonly string[] {
  const keys = runThrough(table.doomedKeys(id, new Work(1)));
  if (keys instanceof KvError) return keys;
  for (const text of keys) table.forget(text);
  table.revoke(rows, id);
  return keys;
}

describe("lease table", () => {
  test("a granted lease is stored as etcd's leasepb.Lease under its big-endian id", () => {
    const rows = new Rows();
    const table = new LeaseTable();
    expect(table.grant(rows, 0x1234n, 60)).toEqual({ kind: "leaseGrant", id: 0x1234n, ttl: 60 });
    expect(rows.dump(Bucket.lease)).toEqual(["0000000000001234=08b424103c"]);
    table.checkpoint(rows, [
      { id: 0x1234n, remainingTtl: 7 },
      { id: 99n, remainingTtl: 5 },
    ]);
    expect(rows.dump(Bucket.lease)).toEqual(["0000000000001234=08b424103c1807"]);
    expect(table.get(0x1234n)).toMatchObject({ grantedTtl: 60, remainingTtl: 7 });
  });

  test("refused commands write nothing", () => {
    const rows = new Rows();
    const table = new LeaseTable();
    table.grant(rows, 1n, 10);
    const writes = rows.writes;
    expect(reason(table.grant(rows, 1n, 20))).toBe("leaseExists");
    expect(reason(table.grant(rows, 0n, 20))).toBe("leaseNotFound");
    expect(reason(table.grant(rows, 2n, 9_000_000_001))).toBe("leaseTtlTooLarge");
    expect(reason(revoke(table, rows, 2n))).toBe("leaseNotFound");
    expect(rows.writes).toBe(writes);
    expect(reason(table.grant(rows, 2n, 9_000_000_000))).toBe("accepted");
  });

  test("a key hangs on one lease; revoking gives the keys in byte order and forgets them", () => {
    const rows = new Rows();
    const table = new LeaseTable();
    table.grant(rows, 1n, 10);
    table.grant(rows, 2n, 10);
    for (const text of ["b", "a", "c", "~"]) table.attach(key(text), 1n);
    table.attach(Uint8Array.of(0xff), 1n);
    table.attach(key("c"), 2n);
    table.detach(key("~"));
    table.detach(key("unknown"));
    expect(table.leaseOf(key("c"))).toBe(2n);
    expect(table.leaseOf(key("~"))).toBe(0n);
    expect(revoke(table, rows, 1n)).toEqual(["a", "b", "\xff"]);
    expect(table.leaseOf(key("a"))).toBe(0n);
    expect(texts(table.keys(2n))).toEqual(["c"]);
    expect(rows.dump(Bucket.lease)).toHaveLength(1);
    expect(() => table.attach(key("x"), 1n)).toThrow(InvariantViolation);
  });

  test("rights to the keys of a lease are as of before the entry that is changing them", () => {
    const key = fc.integer({ min: 0, max: 25 }).map((at) => String.fromCharCode(97 + at));
    const keysProperty = fc.array(key, { maxLength: 8 });
    const ranges = fc.array(fc.tuple(key, fc.option(key)), { maxLength: 4 });
    fc.assert(
      fc.property(keysProperty, keysProperty, keysProperty, ranges, (before, more, fewer, held) => {
        const table = new LeaseTable();
        table.grant(new Rows(), 1n, 10);
        const put = (text: string) => table.attach(Buffer.from(text), 1n);
        for (const text of before) put(text);
        const granted = held.map(([from, to]) =>
          grantedRange(Buffer.from(from), Buffer.from(to ?? "")),
        );
        const rights = new KeyRanges(
          granted.filter(({ start, end }) => !end || compareBytes(start, end) < 0),
        );
        const check = (texts: readonly string[]): void => {
          expect(table.hasKeys(1n)).toBe(texts.length > 0);
          const isHeld = texts.every((text) => rights.holds(Buffer.from(text), new Uint8Array(0)));
          expect(table.areKeysIn(1n, rights)).toBe(isHeld);
        };
        check(before);
        table.beginChange();
        for (const text of more) put(text);
        for (const text of fewer) table.detach(Buffer.from(text));
        check(before);
        table.endChange();
        check([...before, ...more].filter((text) => !fewer.includes(text)));
      }),
      { numRuns: 500 },
    );
  });

  test("a restored table equals the one that wrote the rows, with negative ids and TTLs", () => {
    const rows = new Rows();
    const table = new LeaseTable();
    for (const [id, ttl] of [
      [-5n, 60],
      [0x7fffffffffffffffn, -3],
      [3n, 0],
    ] as const) {
      table.grant(rows, id, ttl);
    }
    table.grant(rows, 4n, 10);
    revoke(table, rows, 4n);
    const restored = new LeaseTable();
    restored.grant(new Rows(), 77n, 1);
    restored.restore(rows);
    const shown = (of: LeaseTable) =>
      [...of.all()].map((lease) => `${lease.id}:${lease.grantedTtl}`);
    expect(shown(restored).sort()).toEqual(shown(table).sort());
    expect(restored.size).toBe(3);
  });

  test("rows survive encode and decode", () => {
    const seconds = fc.integer({ min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER });
    const row = fc.record({
      id: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      grantedTtl: seconds,
      remainingTtl: seconds,
    });
    fc.assert(
      fc.property(row, (lease) => {
        expect(decodeLeaseRow(encodeLeaseRow(lease))).toEqual(lease);
      }),
    );
  });
});
