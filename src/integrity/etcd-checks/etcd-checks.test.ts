/** When etcd's checks run, whom they ask, and what they do about what they find. */
import { beforeEach, expect, test } from "vitest";
import { KvError } from "../../base/errors.js";
import type { Clock } from "../../platform/clock.js";
import type { Machine } from "../../state/apply.js";
import type { AlarmRecord, HashKv } from "../../state/types.js";
import { type EtcdCheckConfig, EtcdChecks } from "./etcd-checks.js";
import type { MemberHash } from "./member-hash.js";

const all: EtcdCheckConfig = {
  ...{ initial: true, periodicMs: 1_000, compactHash: true, compactHashMs: 500 },
};
const current = { compactRevision: 5, hashRevision: 9, currentRevision: 9 };

class Scene {
  isLeader = true;
  alarms: AlarmRecord[] = [];
  compactions: HashKv[] = [];
  /** What the others answer, by revision. */
  readonly theirs = new Map<number, MemberHash | KvError>();
  readonly asked: number[] = [];
  readonly raised: bigint[] = [];
  failure: Error | undefined;
  own = 7;

  checks(config: Partial<EtcdCheckConfig> = {}): EtcdChecks {
    return new EtcdChecks({
      clock: { now: () => 0 } as Clock,
      selfId: 1n,
      config: { ...all, ...config },
      machine: () =>
        ({
          alarms: () => this.alarms,
          kv: { compactions: () => this.compactions },
          cluster: { members: () => [{ id: 1n }, { id: 2n }, { id: 3n }] },
        }) as unknown as Machine,
      isLeader: () => this.isLeader,
      ownHash: (_revision, done) => done({ hash: this.own, ...current }),
      askHash: (_id, revision, done) => {
        this.asked.push(revision);
        done(this.theirs.get(revision) ?? new KvError("compacted"));
      },
      readBarrier: (done) => done(undefined),
      raise: (id) => this.raised.push(id),
      failed: (error) => {
        this.failure = error;
      },
      log: () => {},
    });
  }
}

let scene: Scene;
beforeEach(() => {
  scene = new Scene();
});

test("initial: equal or unknown serves, different does not and says what to do", () => {
  let served = 0;
  const serve = (): void => {
    served++;
  };
  scene.checks().initial(serve);
  scene.theirs.set(9, { hash: 7, ...current });
  scene.checks().initial(serve);
  expect([served, scene.failure]).toEqual([2, undefined]);
  scene.theirs.set(9, { hash: 8, ...current });
  scene.checks({ initial: false }).initial(serve);
  scene.checks().initial(serve);
  expect(served).toBe(3);
  expect(scene.failure?.message).toMatch(
    /found data inconsistency with peers \(2, 3\).*ctl integrity/,
  );
});

test("periodic: the leader, when it is due, and not while an alarm is in force", () => {
  scene.theirs.set(9, { hash: 8, ...current });
  const checks = scene.checks({ compactHash: false });
  checks.tick(999);
  expect(scene.asked).toEqual([]);
  scene.isLeader = false;
  checks.tick(1_000);
  expect(scene.asked).toEqual([]);
  scene.isLeader = true;
  checks.tick(1_500);
  expect(scene.asked).toEqual([]);
  checks.tick(2_000);
  expect(scene.asked).toEqual([9, 9]);
  expect(scene.raised).toEqual([1n]);
  scene.alarms = [{ memberId: 1n, alarm: "CORRUPT" }];
  checks.tick(3_000);
  expect(scene.raised).toEqual([1n]);
});

test("compactions: newest first until one is equal at all, then only newer ones; beside the periodic one", () => {
  const compaction = (hashRevision: number): HashKv => ({
    ...{ hash: hashRevision * 10, compactRevision: hashRevision - 1, hashRevision },
  });
  scene.compactions = [compaction(8), compaction(6), compaction(4)];
  scene.theirs.set(9, { hash: 7, ...current });
  scene.theirs.set(6, { ...compaction(6), currentRevision: 9 });
  const checks = scene.checks();
  checks.tick(500);
  expect(scene.asked).toEqual([8, 8, 6, 6]);
  checks.tick(1_000);
  expect(scene.asked).toEqual([8, 8, 6, 6, 9, 9, 8, 8]);
  scene.theirs.set(8, { ...compaction(8), hash: 1, currentRevision: 9 });
  checks.tick(1_500);
  expect(scene.raised).toEqual([1n]);
});

test("off: nothing is asked", () => {
  scene.compactions = [{ hash: 1, compactRevision: 1, hashRevision: 2 }];
  const checks = scene.checks({ periodicMs: 0, compactHash: false });
  checks.tick(1e9);
  expect(scene.asked).toEqual([]);
});
