/**
 * Lists of leases and keys: they equal etcd's messages, show one moment, and are made in short
 * slices.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { KvError } from "../../base/errors.js";
import { LeaseLeasesResponse, LeaseTimeToLiveResponse } from "../../wire/gen/rpc.js";
import type { Job } from "../types.js";
import { idsJob, keysJob, type ListedLeases } from "./lease-lists.js";

const noRefusal = (): undefined => undefined;
const keysOf = (bytes: Uint8Array): string[] =>
  LeaseTimeToLiveResponse.decode(bytes).keys.map((key) => Buffer.from(key).toString("latin1"));

function lists(keys: Iterable<string>) {
  const lease = { keys: new Set(keys), changes: 0 };
  const state = { isChanging: false };
  const all: ListedLeases = {
    lease: (id) => (id === 7n ? lease : undefined),
    ids: () => [7n],
    isChanging: () => state.isChanging,
  };
  return { all, lease, state };
}

/** Runs a job to its end. Returns the result, and how many slices of 128 units it took. */
function runAll<T>(job: Job<T>, between: (slice: number) => void = () => {}): [T, number] {
  for (let slices = 1; ; slices++) {
    const result = job.step(128);
    if (result !== undefined) return [result, slices];
    between(slices);
  }
}

test("any keys and ids come sorted, as the generated codec reads them", () => {
  const key = fc
    .uint8Array({ maxLength: 300 })
    .map((bytes) => Buffer.from(bytes).toString("latin1"));
  fc.assert(
    fc.property(
      fc.uniqueArray(key),
      fc.uniqueArray(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
      (keys, ids) => {
        expect(keysOf(runAll(keysJob(lists(keys).all, 7n))[0])).toEqual([...keys].sort());
        const [bytes] = runAll(idsJob({ ids: () => ids }, noRefusal));
        const sorted = [...ids].sort((a, b) => (a < b ? -1 : 1));
        expect(LeaseLeasesResponse.decode(bytes).leases.map(({ ID }) => ID)).toEqual(sorted);
      },
    ),
  );
  expect(runAll(keysJob(lists(["a"]).all, 8n))[0]).toHaveLength(0);
});

test("100,000 keys or leases take very many slices", () => {
  const keys = Array.from({ length: 100_000 }, (_, at) => `key/${(at * 7_919) % 100_000}`);
  const [bytes, slices] = runAll(keysJob(lists(keys).all, 7n));
  expect(keysOf(bytes)).toHaveLength(100_000);
  // Collecting, sorting and encoding: each slice is some thousand texts at most.
  expect(slices).toBeGreaterThan(200);
  const [, idSlices] = runAll(idsJob({ ids: () => keys.map((_, at) => BigInt(at)) }, noRefusal));
  expect(idSlices).toBeGreaterThan(200);
});

test("keys are of one moment: a change while they are collected begins anew, an open entry is waited for", () => {
  const { all, lease, state } = lists(Array.from({ length: 5_000 }, (_, at) => `key/${at}`));
  const [bytes] = runAll(keysJob(all, 7n), (slice) => {
    state.isChanging = slice === 2;
    if (slice === 1 || slice === 2) {
      // An entry moves half of the keys, in two turns.
      for (let at = 0; at < 5_000; at += 2) lease.keys.delete(`key/${at}`);
      lease.changes++;
      if (slice === 2) lease.keys.add("new");
    }
  });
  expect(keysOf(bytes)).toEqual([...lease.keys].sort());
  expect(lease.keys.size).toBe(2_501);
  // A lease that changes for ever gets an answer all the same.
  const [later] = runAll(keysJob(all, 7n), () => void lease.changes++);
  expect(keysOf(later)).toHaveLength(2_501);
});

test("one lease that may not be listed ends the list, in the slice that comes to it", () => {
  const denied = new KvError("permissionDenied");
  const ids = Array.from({ length: 10_000 }, (_, at) => BigInt(at));
  let asked = 0;
  const job = idsJob({ ids: () => ids }, (id) => {
    asked++;
    return id === 5_000n ? denied : undefined;
  });
  expect(job.step(128)).toBeUndefined();
  expect(asked).toBeLessThan(1_000);
  expect(() => runAll(job)).toThrow(denied);
  expect(asked).toBe(5_001);
});
