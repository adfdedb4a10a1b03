/** One member's part in the alarm NOSPACE: when it raises it, and when it ends it as the leader. */
import { describe, expect, test } from "vitest";
import type { Done } from "../../base/done.js";
import { KvError } from "../../base/errors.js";
import { PeerMethod } from "../../peers/codec.js";
import type { PeerHandler } from "../../peers/peers.js";
import type { AlarmRecord, Applied, MachineReader } from "../../state/types.js";
import { AlarmRequest, AlarmRequest_AlarmAction } from "../../wire/gen/rpc.js";
import { Quota, type QuotaParts } from "./quota.js";

const grown = { outcome: { kind: "leaseGrant" } } as unknown as Applied;
const alarmChanged = { outcome: { kind: "alarm", alarms: [] } } as unknown as Applied;

function setUp(more: Partial<QuotaParts> = {}) {
  const world = { bytes: 0, isLeader: true, alarms: [] as AlarmRecord[] };
  const asked: { readonly id: bigint; readonly done: Done<Uint8Array> }[] = [];
  const proposed: { action: AlarmRequest_AlarmAction; memberID: bigint; done: () => void }[] = [];
  const lines: string[] = [];
  let serve: PeerHandler | undefined;
  const take = (body: Uint8Array, done = () => {}): void => {
    const { action, memberID } = AlarmRequest.decode(body);
    proposed.push({ action, memberID, done });
  };
  const machine = {
    alarms: () => world.alarms,
    cluster: { members: () => [{ id: 1n }, { id: 2n }, { id: 3n }] },
  } as unknown as MachineReader;
  const quota = new Quota(
    {
      selfId: 1n,
      quotaBytes: 1_000,
      endsByItself: true,
      log: (level, message) => lines.push(`${level} ${message}`),
      machine: () => machine,
      backendBytes: () => world.bytes,
      isLeader: () => world.isLeader,
      propose: (_field, body, done) => take(body, done),
      proposeAsLeader: (_field, body) => take(body),
      request: (id, method, _body, done) => {
        expect(method).toBe(PeerMethod.hasSpace);
        asked.push({ id, done });
      },
      ...more,
    },
    {
      serve: (_method, handler) => {
        serve = handler;
      },
    },
  );
  const hasSpace = (): boolean => {
    let answer: Uint8Array | KvError | undefined;
    serve?.(2n, new Uint8Array(0), (result) => {
      answer = result;
    });
    return answer instanceof Uint8Array && answer[0] === 1;
  };
  return { quota, world, asked, proposed, lines, hasSpace };
}

const { ACTIVATE, DEACTIVATE } = AlarmRequest_AlarmAction;
const own: AlarmRecord = { memberId: 1n, alarm: "NOSPACE" };
const others: AlarmRecord = { memberId: 3n, alarm: "NOSPACE" };
const yes = Uint8Array.of(1);

describe("the alarm is raised", () => {
  test("once, by a request that this member's backend has no room for", () => {
    const { quota, world, proposed } = setUp();
    world.bytes = 990;
    expect(quota.check(10)).toBeUndefined();
    expect(quota.check(11)).toEqual(new KvError("noSpace"));
    expect(quota.check(11)).toEqual(new KvError("noSpace"));
    expect(quota.check(0)).toBeUndefined();
    expect(proposed).toMatchObject([{ action: ACTIVATE, memberID: 1n }]);
    // The proposal failed, and there is no alarm.
    proposed[0]?.done();
    quota.check(11);
    expect(proposed).toHaveLength(2);
  });

  test("by a member that applies what other members took", () => {
    const { quota, world, proposed } = setUp();
    world.bytes = 1_001;
    quota.tick(100);
    expect(proposed).toEqual([]);
    quota.applied(grown);
    quota.tick(200);
    expect(proposed).toMatchObject([{ action: ACTIVATE, memberID: 1n }]);
    proposed[0]?.done();
    world.alarms = [own];
    quota.applied(grown);
    quota.tick(300);
    expect(proposed).toHaveLength(1);
  });

  test("never without a quota", () => {
    const { quota, world, proposed, hasSpace } = setUp({ quotaBytes: 0 });
    world.bytes = 1e12;
    expect(quota.check(1e6)).toBeUndefined();
    quota.applied(grown);
    quota.tick(100);
    expect(proposed).toEqual([]);
    expect(hasSpace()).toBe(true);
  });
});

describe("the leader ends the alarms", () => {
  test("of all members when each has a tenth of its quota free", () => {
    const { quota, world, asked, proposed } = setUp();
    world.alarms = [own, { memberId: 2n, alarm: "CORRUPT" }, others];
    quota.tick(100);
    expect(asked.map(({ id }) => id)).toEqual([2n, 3n]);
    asked[0]?.done(yes);
    expect(proposed).toEqual([]);
    asked[1]?.done(yes);
    expect(proposed).toMatchObject([
      { action: DEACTIVATE, memberID: 1n },
      { action: DEACTIVATE, memberID: 3n },
    ]);
  });

  test.each([
    ["says no", Uint8Array.of(0)],
    ["does not answer", new KvError("timeout")],
  ])("not while one of them %s", (_name, answer) => {
    const { quota, world, asked, proposed } = setUp();
    world.alarms = [others];
    quota.tick(100);
    asked[0]?.done(answer);
    asked[1]?.done(yes);
    expect(proposed).toEqual([]);
    quota.tick(1_000);
    expect(asked).toHaveLength(2);
    quota.tick(3_000);
    expect(asked).toHaveLength(4);
  });

  test("not while it is above nine tenths of its own quota, or does not lead any more", () => {
    const { quota, world, asked, proposed, hasSpace } = setUp();
    world.alarms = [others];
    world.bytes = 900;
    expect(hasSpace()).toBe(false);
    quota.tick(100);
    expect(asked).toEqual([]);
    world.bytes = 899;
    expect(hasSpace()).toBe(true);
    quota.tick(3_000);
    world.isLeader = false;
    for (const { done } of asked) done(yes);
    expect(proposed).toEqual([]);
    quota.tick(9_000);
    expect(asked).toHaveLength(2);
  });

  test("not where an operator does, as in etcd", () => {
    const { quota, world, asked } = setUp({ endsByItself: false });
    world.alarms = [own];
    quota.tick(100);
    expect(asked).toEqual([]);
  });
});

test("its begin and end are told, once", () => {
  const { quota, world, lines } = setUp();
  world.alarms = [own];
  quota.applied(alarmChanged);
  quota.applied(alarmChanged);
  world.alarms = [];
  quota.applied(alarmChanged);
  expect(lines).toEqual(["warn alarm raised", "info alarm ended"]);
});
