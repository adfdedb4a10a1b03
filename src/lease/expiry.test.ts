/** Revocations under way: how many, which, and what follows when they are lost. */
import { expect, test } from "vitest";
import { KvError } from "../base/errors.js";
import { EntryEncoder } from "../member/turns/request-codec.js";
import type { Clock } from "../platform/clock.js";
import { type Entry, EntryType } from "../raft/types.js";
import type { Applied } from "../state/types.js";
import { LeaseGrantRequest, LeaseRevokeRequest } from "../wire/gen/rpc.js";
import { RequestField } from "../wire/proposal.js";
import { LeaseExpiry } from "./expiry.js";
import type { Lessor } from "./lessor.js";

function setUp(leases: number) {
  let nowMs = 0;
  let next = 1;
  const queue: { readonly id: bigint; readonly isRight: () => boolean }[] = [];
  const log: Entry[] = [];
  const applied = { index: 0 };
  const looked = { entries: 0 };
  const clock = { now: () => nowMs } as Clock;
  const lessor = {
    expired: (max: number) => {
      const ids: bigint[] = [];
      while (ids.length < max && next <= leases) ids.push(BigInt(next++));
      return ids;
    },
  } as unknown as Lessor;
  const expiry = new LeaseExpiry({
    clock,
    lessor,
    propose: (_field, body, isRight) =>
      queue.push({ id: LeaseRevokeRequest.decode(body).ID, isRight }),
    entriesAfter: (index) => {
      const entries = log.slice(index);
      looked.entries += entries.length;
      return entries;
    },
    lastIndex: () => log.length,
    appliedIndex: () => applied.index,
  });
  const end = (id: bigint): void => {
    expiry.applied({ outcome: { kind: "leaseRevoke", id } } as Applied);
  };
  const wait = (ms: number): void => {
    nowMs += ms;
    expiry.tick(nowMs);
  };
  const again = (id: bigint): void => {
    next = Number(id);
  };
  return { expiry, queue, log, applied, looked, end, wait, again };
}

test("2,500 are under way at most, and the next follow as these are applied", () => {
  const { expiry, queue, end, wait } = setUp(10_000);
  wait(500);
  expect(queue).toHaveLength(2_500);
  wait(500);
  expect(queue).toHaveLength(2_500);
  for (let ended = 1; ended <= 10_000; ended++) {
    end(BigInt(ended));
    if (queue.length - ended > 2_500) expect.unreachable(`${queue.length - ended} under way`);
  }
  expect(queue.map(({ id }) => id)).toEqual(
    Array.from({ length: 10_000 }, (_, at) => BigInt(at + 1)),
  );
  expect(expiry.ended).toBe(10_000);
});

test("what others revoke, and what is refused, does not count", () => {
  const { expiry, end, wait } = setUp(1);
  wait(500);
  end(77n);
  expiry.applied({ outcome: new KvError("leaseNotFound") } as Applied);
  expect(expiry.ended).toBe(0);
  end(1n);
  end(1n);
  expect(expiry.ended).toBe(1);
});

test("a lease that the log already ends or grants anew is left alone until that is applied", () => {
  const { queue, log, applied, wait, again } = setUp(3);
  const encoder = new EntryEncoder(1n);
  const add = (field: RequestField, body: Uint8Array): void => {
    const data = encoder.encode(log.length + 1, field, body);
    log.push({ index: log.length + 1, term: 1, type: EntryType.normal, data });
  };
  add(RequestField.leaseRevoke, LeaseRevokeRequest.encode({ ID: 1n }).finish());
  add(RequestField.leaseGrant, LeaseGrantRequest.encode({ ID: 2n, TTL: 5n }).finish());
  wait(500);
  expect(queue.map(({ isRight }) => isRight())).toEqual([false, false, true]);
  applied.index = 2;
  again(1n);
  wait(500);
  expect(queue.slice(3).map(({ isRight }) => isRight())).toEqual([true, true, true]);
});

test("each entry of the log is looked at once, however often revocations are proposed", () => {
  const { queue, log, looked, wait } = setUp(30_000);
  const encoder = new EntryEncoder(1n);
  for (let index = 1; index <= 1_000; index++) {
    const data = encoder.encode(index, RequestField.put, new Uint8Array(0));
    log.push({ index, term: 1, type: EntryType.normal, data });
    if (index % 100 !== 0) continue;
    wait(3_000);
    for (const { isRight } of queue.splice(0)) expect(isRight()).toBe(true);
  }
  expect(looked.entries).toBe(1_000);
});

test("revocations that come to nothing do not hold up the others for ever", () => {
  const { expiry, queue, wait } = setUp(6_000);
  wait(500);
  wait(2_000);
  expect(queue).toHaveLength(2_500);
  wait(1_000);
  expect(queue).toHaveLength(5_000);
  expiry.reset();
  wait(100);
  expect(queue).toHaveLength(6_000);
});
