/** Damage at rest under a running member: a row that ranges read again and again is found, too. */
import { expect, test } from "vitest";
import { DamageError } from "../../base/errors.js";
import { Bucket } from "../../platform/rows.js";
import { applyCommand, foundMachine, JournalBackend, putOf, rangeOf } from "../machine.fixture.js";
import { encodeRevision } from "./revision-key.js";

const many = 1_000_000;

function damaged() {
  const backend = new JournalBackend();
  const machine = foundMachine(backend);
  for (const key of ["a", "b", "c"]) {
    applyCommand(machine, { $case: "put", value: putOf(key, `value of ${key}`) });
  }
  const read = (from: string, to: string, nowMs?: number) =>
    machine.kv.readRange(rangeOf(from, to), nowMs === undefined ? {} : { nowMs }).step(many);
  const first = read("a", "d", 1_000);
  const key = encodeRevision(3, 0, false);
  const stored = Buffer.from(backend.get(Bucket.key, key) as Uint8Array);
  stored[5] = (stored[5] as number) ^ 1;
  backend.write([{ bucket: Bucket.key, key, value: stored }]);
  return { read, first };
}

test("within a second a range answers what it answered, after it the damage is found", () => {
  const { read, first } = damaged();
  expect(read("a", "d", 2_000)).toEqual(first);
  expect(() => read("a", "d", 2_001)).toThrow(DamageError);
});

test("a read of the key alone, or one without a time, finds the damage at once", () => {
  const { read } = damaged();
  expect(() => read("b", "", 1_000)).toThrow(DamageError);
  expect(() => read("a", "d")).toThrow(DamageError);
  expect(read("a", "", 1_000)?.count).toBe(1);
});

test("a row that changes is answered as it is now, and as it was at its revision", () => {
  const machine = foundMachine(new JournalBackend());
  const put = (value: string) => applyCommand(machine, { $case: "put", value: putOf("k", value) });
  const values = (revision: bigint) => {
    const request = { ...rangeOf("a", "z"), revision };
    const kvs = machine.kv.readRange(request, { nowMs: 1 }).step(many)?.kvs ?? [];
    return kvs.map((kv) => Buffer.from(kv).toString("latin1"));
  };
  put("first");
  expect(values(0n)).toEqual([expect.stringContaining("first")]);
  put("second");
  expect(values(0n)).toEqual([expect.stringContaining("second")]);
  expect(values(2n)).toEqual([expect.stringContaining("first")]);
});
