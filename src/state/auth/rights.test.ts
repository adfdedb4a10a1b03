import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import type { KvError } from "../../base/errors.js";
import { TxnRequest } from "../../wire/gen/rpc.js";
import { type Caller, nobody } from "../../wire/proposal.js";
import { LeaseTable } from "../lease/lease-table.js";
import { SortedTexts } from "../lease/sorted-texts.js";
import { Rows } from "../rows.fixture.js";
import { AuthScene } from "./auth.fixture.js";
import { grantedRange, KeyRanges } from "./key-ranges.js";
import {
  adminRefusal,
  deleteRefusal,
  leaseReadRefusal,
  leaseWriteRefusal,
  putRefusal,
  rangeRefusal,
  txnRefusal,
  userRefusal,
} from "./rights.js";

const bytes = (text: string) => Buffer.from(text, "latin1");
const reason = (refusal: KvError | undefined) => refusal?.reason ?? "allowed";

/** A user "u" that may read a to d and write c to e; lease 1 has the keys c and x. */
function scene() {
  const auth = new AuthScene();
  auth.addUser("root");
  auth.grantRole("root", "root");
  auth.addUser("u");
  auth.addRole("r");
  auth.addRole("w");
  auth.grant("r", "read", ["a", "b"]);
  auth.grant("r", "read", ["b", "d"]);
  auth.grant("w", "write", ["c", "e"]);
  auth.grantRole("u", "r");
  auth.grantRole("u", "w");
  auth.enable();
  const leases = new LeaseTable();
  for (const id of [1n, 2n]) leases.grant(new Rows(), id, 60);
  for (const key of ["c", "x"]) leases.attach(bytes(key), 1n);
  const { table } = auth;
  const caller = (username: string): Caller => ({ username, authRevision: table.revision });
  return { auth, table, tables: { auth: table, leases }, caller };
}

const range = (key: string, end = "") => ({ key: bytes(key), range_end: bytes(end) });

describe("rights", () => {
  test("permissions of several roles count together", () => {
    const { table, caller } = scene();
    const asked = [range("a"), range("a", "d"), range("b", "c"), range("d"), range("a", "e")];
    const told = asked.map((request) => reason(rangeRefusal(table, caller("u"), request)));
    const no = "permissionDenied";
    expect(told).toEqual(["allowed", "allowed", "allowed", no, no]);
    expect(reason(rangeRefusal(table, caller("u"), range("a", "\0")))).toBe(no);
    expect(reason(rangeRefusal(table, caller("root"), range("\0", "\0")))).toBe("allowed");
  });

  test("the right to one key is no right from that key on (GHSA-xg4h-6gfc-h4m8)", () => {
    const { auth, table, caller } = scene();
    auth.grant("r", "read", ["k"]);
    expect(reason(rangeRefusal(table, caller("u"), range("k")))).toBe("allowed");
    expect(reason(rangeRefusal(table, caller("u"), range("k", "k\0")))).toBe("allowed");
    expect(reason(rangeRefusal(table, caller("u"), range("k", "\0")))).toBe("permissionDenied");
    expect(reason(rangeRefusal(table, caller("u"), range("k", "k\0\0")))).toBe("permissionDenied");
  });

  test("nobody, an old revision and an unknown user are told apart", () => {
    const { table, caller } = scene();
    const old = { username: "u", authRevision: table.revision - 1 };
    expect(reason(rangeRefusal(table, nobody, range("a")))).toBe("userEmpty");
    expect(reason(rangeRefusal(table, old, range("a")))).toBe("authOldRevision");
    expect(reason(rangeRefusal(table, caller("x"), range("a")))).toBe("permissionDenied");
    expect(reason(adminRefusal(table, nobody))).toBe("userEmpty");
    expect(reason(adminRefusal(table, caller("x")))).toBe("userNotFound");
    expect(reason(adminRefusal(table, caller("u")))).toBe("permissionDenied");
    expect(reason(adminRefusal(table, { username: "root", authRevision: 1 }))).toBe("allowed");
    expect(reason(userRefusal(table, nobody))).toBe("userEmpty");
    expect(reason(userRefusal(table, caller("u")))).toBe("allowed");
  });

  test("puts and deletes write, and read as well for the old value", () => {
    const { table, tables, caller } = scene();
    const put = (key: string, more = {}) =>
      reason(
        putRefusal(tables, caller("u"), { key: bytes(key), lease: 0n, prev_kv: false, ...more }),
      );
    expect([put("c"), put("d"), put("a")]).toEqual(["allowed", "allowed", "permissionDenied"]);
    expect([put("c", { prev_kv: true }), put("d", { prev_kv: true })]).toEqual([
      "allowed",
      "permissionDenied",
    ]);
    const remove = (key: string, end: string, prev_kv: boolean) =>
      reason(deleteRefusal(table, caller("u"), { ...range(key, end), prev_kv }));
    expect([remove("c", "e", false), remove("c", "e", true), remove("c", "d", true)]).toEqual([
      ...["allowed", "permissionDenied", "allowed"],
    ]);
  });

  test("a lease with a foreign key can be neither renewed, read nor attached to", () => {
    const { auth, tables, caller } = scene();
    expect(reason(leaseWriteRefusal(tables, caller("u"), 1n))).toBe("permissionDenied");
    expect(reason(leaseReadRefusal(tables, caller("u"), 1n))).toBe("permissionDenied");
    expect(reason(leaseWriteRefusal(tables, caller("u"), 2n))).toBe("allowed");
    expect(reason(leaseWriteRefusal(tables, caller("root"), 1n))).toBe("allowed");
    const put = { key: bytes("c"), lease: 1n, prev_kv: false };
    expect(reason(putRefusal(tables, caller("u"), put))).toBe("permissionDenied");
    auth.grant("w", "readwrite", ["x"]);
    expect(reason(putRefusal(tables, caller("u"), put))).toBe("allowed");
    expect(reason(leaseReadRefusal(tables, caller("u"), 1n))).toBe("allowed");
  });

  test("very many keys of a lease: one is looked at for each range of the caller", () => {
    const { auth, tables, caller, table } = scene();
    for (let at = 0; at < 100_000; at++) tables.leases.attach(bytes(`c${at}`), 2n);
    const write = (): string => reason(leaseWriteRefusal(tables, caller("u"), 2n));
    const looks = vi.spyOn(SortedTexts.prototype, "firstFrom");
    expect(write()).toBe("allowed");
    tables.leases.attach(bytes("f"), 2n);
    expect(write()).toBe("permissionDenied");
    auth.grant("w", "write", ["f"]);
    expect(write()).toBe("allowed");
    expect(looks.mock.calls.length).toBeLessThan(20);
    expect(table.rights("u")?.write.rangeAround("c5")).toMatchObject({ end: "e" });
  });

  test("a transaction needs the rights of both branches, nested ones and compares", () => {
    const { tables, caller } = scene();
    const empty = TxnRequest.decode(new Uint8Array(0));
    const get = (key: string): TxnRequest["success"][number] => ({
      request: { $case: "request_range", value: { ...TxnRange(key) } },
    });
    const nest = (txn: TxnRequest): TxnRequest["success"][number] => ({
      request: { $case: "request_txn", value: txn },
    });
    const ask = (txn: Partial<TxnRequest>) =>
      reason(txnRefusal(tables, caller("u"), { ...empty, ...txn }));
    expect(ask({ success: [get("a")], failure: [get("b")] })).toBe("allowed");
    expect(ask({ success: [get("a")], failure: [get("x")] })).toBe("permissionDenied");
    expect(ask({ success: [nest({ ...empty, failure: [get("x")] })] })).toBe("permissionDenied");
    const compare = { ...range("x"), result: 0, target: 0, target_union: undefined };
    expect(ask({ compare: [compare] })).toBe("permissionDenied");
    expect(ask({ compare: [{ ...compare, key: bytes("a") }] })).toBe("allowed");
  });

  test("while auth is off everything is allowed", () => {
    const { auth, tables } = scene();
    auth.disable();
    expect(reason(adminRefusal(tables.auth, nobody))).toBe("allowed");
    expect(reason(userRefusal(tables.auth, nobody))).toBe("allowed");
    expect(reason(rangeRefusal(tables.auth, nobody, range("\0", "\0")))).toBe("allowed");
    expect(reason(leaseWriteRefusal(tables, nobody, 1n))).toBe("allowed");
  });
});

function TxnRange(key: string) {
  return {
    ...{ key: bytes(key), range_end: bytes(""), limit: 0n, revision: 0n, sort_order: 0 },
    ...{ sort_target: 0, serializable: false, keys_only: false, count_only: false },
    ...{ min_mod_revision: 0n, max_mod_revision: 0n, min_create_revision: 0n },
    max_create_revision: 0n,
  };
}

test("merged ranges hold a range exactly if every key of it is in one of them", () => {
  const point = fc.integer({ min: 1, max: 7 });
  const interval = fc.record({ start: point, end: fc.option(fc.integer({ min: 0, max: 8 })) });
  // Keys are single bytes. A key alone is the range from it to it with a zero byte, so one key is
  // two units.
  const inUnits = ({ start, end }: { start: number; end: number | null }) =>
    end === null ? [start * 2, start * 2 + 1] : [start * 2, end === 0 ? 99 : end * 2];
  const toRange = ({ start, end }: { start: number; end: number | null }) =>
    [Uint8Array.of(start), end === null ? new Uint8Array(0) : Uint8Array.of(end)] as const;
  const sound = interval.filter(({ start, end }) => end === null || end === 0 || end > start);
  fc.assert(
    fc.property(fc.array(sound, { maxLength: 6 }), sound, (permissions, asked) => {
      const ranges = new KeyRanges(permissions.map((one) => grantedRange(...toRange(one))));
      const [from = 0, to = 0] = inUnits(asked);
      const covered = (unit: number) =>
        permissions.some((one) => {
          const [start = 0, end = 0] = inUnits(one);
          return start <= unit && unit < end;
        });
      let expected = true;
      for (let unit = from; unit < to; unit++) expected &&= covered(unit);
      expect(ranges.holds(...toRange(asked))).toBe(expected);
      const alone = Buffer.of(asked.start);
      const isHeld = ranges.holds(alone, new Uint8Array(0));
      expect(ranges.rangeAround(alone.toString("latin1")) !== undefined).toBe(isHeld);
    }),
  );
});
