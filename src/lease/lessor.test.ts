import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Clock } from "../platform/clock.js";
import { LeaseTable } from "../state/lease/lease-table.js";
import { Rows } from "../state/rows.fixture.js";
import { createLessor, minTtlSeconds } from "./lessor.js";
import { LeaseQueue } from "./queue.js";

function setUp() {
  let nowMs = 1_000_000;
  const clock = { now: () => nowMs } as Clock;
  const rows = new Rows();
  const table = new LeaseTable();
  const lessor = createLessor({ clock, leases: () => table });
  return {
    table,
    lessor,
    wait: (seconds: number) => {
      nowMs += seconds * 1000;
    },
    grant: (id: bigint, ttl: number) => {
      table.grant(rows, id, ttl);
      lessor.granted(id);
    },
    revoke: (id: bigint) => table.revoke(rows, id),
    checkpoint: (id: bigint, remainingTtl: number) =>
      table.checkpoint(rows, [{ id, remainingTtl }]),
  };
}

describe("lessor", () => {
  test("a lease expires when its time is over, again every 3 s until it is revoked", () => {
    const { lessor, wait, grant, revoke } = setUp();
    lessor.promote(0);
    grant(1n, 10);
    wait(9.9);
    expect(lessor.expired(500)).toEqual([]);
    expect(lessor.remaining(1n)).toBe(0);
    wait(0.1);
    expect(lessor.expired(500)).toEqual([1n]);
    wait(2.9);
    expect(lessor.expired(500)).toEqual([]);
    wait(0.1);
    expect(lessor.expired(500)).toEqual([1n]);
    expect(lessor.remaining(1n)).toBe(0);
    revoke(1n);
    wait(3);
    expect(lessor.expired(500)).toEqual([]);
    expect(lessor.remaining(1n)).toBe(-1);
  });

  test("keep-alive renews to the full TTL; not an expired or revoked lease", () => {
    const { lessor, wait, grant, revoke } = setUp();
    lessor.promote(0);
    grant(1n, 10);
    grant(2n, 10);
    wait(6);
    expect(lessor.keepAlive(1n)).toBe(10);
    expect(lessor.remaining(1n)).toBe(10);
    expect(lessor.remaining(2n)).toBe(4);
    wait(4);
    expect(lessor.keepAlive(2n)).toBe(0);
    expect(lessor.expired(500)).toEqual([2n]);
    revoke(2n);
    expect(lessor.keepAlive(2n)).toBe(0);
    expect(lessor.keepAlive(3n)).toBe(0);
    wait(6);
    expect(lessor.expired(500)).toEqual([1n]);
  });

  test("a revoked id that is granted anew starts over, also with a shorter TTL", () => {
    const { lessor, wait, grant, revoke } = setUp();
    lessor.promote(0);
    grant(1n, 100);
    revoke(1n);
    lessor.revoked(1n);
    grant(1n, 5);
    wait(5);
    expect(lessor.expired(500)).toEqual([1n]);
  });

  test("only the leader counts: a new leader gives full TTLs plus the extension", () => {
    const { lessor, wait, grant } = setUp();
    grant(1n, 10);
    expect(lessor.keepAlive(1n)).toBe(0);
    wait(100);
    expect(lessor.expired(500)).toEqual([]);
    lessor.promote(1_000);
    expect(lessor.remaining(1n)).toBe(11);
    wait(10.9);
    expect(lessor.expired(500)).toEqual([]);
    wait(0.1);
    expect(lessor.expired(500)).toEqual([1n]);
    lessor.demote();
    wait(10);
    expect(lessor.expired(500)).toEqual([]);
    expect(lessor.remaining(1n)).toBe(-1);
  });

  test("a renewal after the extension of a new leader may bring the deadline forward", () => {
    const { lessor, wait, grant } = setUp();
    grant(1n, 10);
    lessor.promote(5_000);
    wait(1);
    expect(lessor.keepAlive(1n)).toBe(10);
    wait(10);
    expect(lessor.expired(500)).toEqual([1n]);
    wait(3);
    expect(lessor.expired(500)).toEqual([1n]);
  });

  test("as many in a pass as are asked for, each once", () => {
    const { lessor, wait, grant } = setUp();
    lessor.promote(0);
    for (let id = 1n; id <= 1_200n; id += 1n) grant(id, 2);
    wait(2);
    const passes = [
      lessor.expired(500),
      lessor.expired(500),
      lessor.expired(500),
      lessor.expired(500),
    ];
    expect(passes.map((ids) => ids.length)).toEqual([500, 500, 200, 0]);
    expect(new Set(passes.flat()).size).toBe(1_200);
  });

  test("long leases are checkpointed every 5 minutes, and a new leader starts from there", () => {
    const { lessor, wait, grant, checkpoint } = setUp();
    lessor.promote(0);
    grant(1n, 1_000);
    grant(2n, 300);
    wait(299);
    expect(lessor.checkpointsDue()).toEqual([]);
    wait(1);
    expect(lessor.checkpointsDue()).toEqual([{ id: 1n, remainingTtl: 700 }]);
    checkpoint(1n, 700);
    wait(300);
    expect(lessor.checkpointsDue()).toEqual([{ id: 1n, remainingTtl: 400 }]);
    wait(300);
    expect(lessor.checkpointsDue()).toEqual([{ id: 1n, remainingTtl: 100 }]);
    lessor.promote(0);
    expect(lessor.remaining(1n)).toBe(700);
  });

  test("a renewal takes the replicated remaining time back", () => {
    const { lessor, wait, grant, checkpoint } = setUp();
    lessor.promote(0);
    grant(1n, 1_000);
    wait(300);
    lessor.checkpointsDue();
    checkpoint(1n, 700);
    lessor.keepAlive(1n);
    lessor.keepAlive(1n);
    expect(lessor.checkpointsDue()).toEqual([{ id: 1n, remainingTtl: 0 }]);
    checkpoint(1n, 0);
    lessor.keepAlive(1n);
    expect(lessor.checkpointsDue()).toEqual([]);
    wait(300);
    expect(lessor.checkpointsDue()).toEqual([{ id: 1n, remainingTtl: 700 }]);
  });

  test("the smallest TTL is one and a half elections in whole seconds", () => {
    expect(minTtlSeconds(10, 100)).toBe(2);
    expect(minTtlSeconds(10, 500)).toBe(8);
    expect(minTtlSeconds(50, 100)).toBe(8);
    expect(minTtlSeconds(11, 125)).toBe(2);
  });
});

test("the queue gives what is due, earliest first", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(50)), fc.nat(50), (times, nowMs) => {
      const queue = new LeaseQueue();
      for (const [place, time] of times.entries()) queue.push(BigInt(place), time);
      const taken: (number | undefined)[] = [];
      for (let id = queue.takeDue(nowMs); id !== undefined; id = queue.takeDue(nowMs)) {
        taken.push(times[Number(id)]);
      }
      expect(taken).toEqual(times.filter((time) => time <= nowMs).sort((a, b) => a - b));
      expect(queue.size).toBe(times.length - taken.length);
    }),
  );
});
