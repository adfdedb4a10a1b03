/**
 * The fault matrix of docs/integrity.md in the simulator: one state goes wrong in each known way,
 * at each kind of member. The cluster finds it, clients get no wrong answer after that, the others
 * go on, and the member heals.
 */

import { describe, expect, test } from "vitest";
import { DamageError, KvError } from "../../base/errors.js";
import { noClient } from "../../member/gate/requests.js";
import { Bucket } from "../../platform/rows.js";
import { AlarmRequest, AlarmRequest_AlarmAction, AlarmType } from "../../wire/gen/rpc.js";
import { RequestField } from "../../wire/proposal.js";
import { Story } from "./integrity-story.fixture.js";
import type { MemoryBackendStore } from "./platform/memory-backend.js";
import { simHash } from "./platform/sim-hash.js";
import type { SimNode } from "./sim-node.js";

const metaIndexAt = 4;

function setIndex(backends: MemoryBackendStore, name: string, change: (index: number) => number) {
  backends.faults.changeMeta(name, (meta) => {
    const view = new DataView(meta.buffer, meta.byteOffset);
    const index = Number(view.getBigUint64(metaIndexAt, true));
    view.setBigUint64(metaIndexAt, BigInt(change(index)), true);
  });
}

const key = { bucket: Bucket.key, row: 3 };
type Damage = (backends: MemoryBackendStore, name: string) => void;
const damages: readonly (readonly [string, Damage])[] = [
  ["a bit of a row flips", ({ faults }, name) => faults.flipBit(name, { ...key, bit: 77 })],
  ["a row is lost", ({ faults }, name) => faults.loseRow(name, key)],
  [
    "a member's row is lost",
    ({ faults }, name) => faults.loseRow(name, { ...key, bucket: Bucket.members }),
  ],
  ["a row too many", ({ faults }, name) => faults.addRow(name, key)],
  ["a row under another key", ({ faults }, name) => faults.misdirect(name, key)],
  ["an index too low", (backends, name) => setIndex(backends, name, (index) => index - 2)],
  ["an index too high", (backends, name) => setIndex(backends, name, (index) => index + 1)],
];

describe.each(["follower", "leader"] as const)("damage at rest of a %s:", (role) => {
  test.each(damages)("%s: found at the start, never answered, healed", (_, damage) => {
    const story = new Story();
    story.write(20);
    const node = role === "leader" ? story.leader() : story.follower();
    story.durable();
    const durable = [...node.backends.crashImages()][0] ?? new Map();
    story.write(3);
    story.whileOff(node, (name) => {
      // Its log goes on from there.
      node.backends.faults.putBack(name, durable);
      damage(node.backends, name);
    });
    // First the members must elect the leader's successor.
    expect(story.write(60)).toBeGreaterThan(role === "leader" ? 5 : 55);
    story.healed();
    expect(story.wrong).toEqual([]);
    expect(node.member?.probe.timesHealed()).toBe(1);
  });
});

test("a stale backend within the log catches up; one that is older than it heals", () => {
  const story = new Story();
  const node = story.follower();
  story.write(5);
  story.durable();
  const old = [...node.backends.crashImages()][0];
  story.write(10);
  story.whileOff(node, (name) => node.backends.faults.swapStale(name));
  story.write(5);
  story.healed();
  expect(node.member?.probe.timesHealed()).toBe(0);
  story.write(300, 5);
  expect(node.member?.probe.log.firstIndex()).toBeGreaterThan(100);
  story.whileOff(node, (name) => node.backends.faults.putBack(name, old ?? new Map()));
  story.write(5);
  story.healed();
  expect(node.member?.probe.timesHealed()).toBe(1);
  expect(story.wrong).toEqual([]);
});

describe("an entry is applied wrongly:", () => {
  test("it is told from a different log, and found in a heartbeat when nothing else happens", () => {
    const story = new Story();
    story.write(10);
    const node = story.follower();
    const wrong = story.misapply(node);
    story.put();
    story.until(() => node.isInQuarantine(), 1_000);
    expect(story.cluster.clock.now() - wrong.atMs()).toBeLessThan(100 + 20);
    expect(story.logs.some(({ text }) => text === "states differ apply")).toBe(true);
  });

  test("under load: found within two batches, nothing wrong is answered after that", () => {
    const batches: number[] = [];
    for (let seed = 1; seed <= 9; seed++) {
      const story = new Story({ seed });
      story.write(5);
      const node = story.follower();
      let applied = node.member?.machine.appliedIndex ?? 0;
      let count = 0;
      const wrong = story.misapply(node);
      story.onStep = (stepped) => {
        const index = node.member?.machine.appliedIndex ?? 0;
        const isFound = node.member?.probe.timesFound() !== 0;
        if (stepped !== node || isFound || index === applied) return;
        applied = index;
        if (index > wrong.index()) count++;
      };
      let doubtMs = Number.POSITIVE_INFINITY;
      story.onLog = (_, text) => {
        if (text.startsWith("states differ"))
          doubtMs = Math.min(doubtMs, story.cluster.clock.now());
      };
      story.write(60, 2);
      story.until(() => node.member?.probe.timesFound() === 1);
      batches.push(count);
      story.onStep = () => {};
      story.pass(300);
      // Both sides find it, each with the next message of the other.
      expect(story.wrongSince(doubtMs + 2)).toEqual([]);
      story.healed();
      for (const other of story.others(node)) expect(story.answers.get(other)).toBeGreaterThan(20);
    }
    const sorted = batches.sort((a, b) => a - b);
    expect(sorted[4], String(batches)).toBeLessThanOrEqual(2);
    expect(sorted[8], String(batches)).toBeLessThanOrEqual(4);
  });

  test("at a member whose messages are lost for 5,000 entries: it is compared later", () => {
    const story = new Story({ config: { snapshotCatchupEntries: 20_000, snapshotCount: 50_000 } });
    story.write(5);
    const node = story.follower();
    const wrong = story.misapply(node);
    story.put();
    story.until(() => wrong.index() > 0);
    story.cluster.clock.pause(node.place);
    const serving = story.others(node);
    const before = serving[0]?.member?.machine.appliedIndex ?? 0;
    for (let round = 0; round < 110; round++) {
      for (let n = 0; n < 50; n++) story.put();
      story.cluster.clock.run(10);
    }
    expect((serving[0]?.member?.machine.appliedIndex ?? 0) - before).toBeGreaterThan(5_000);
    expect(node.isInQuarantine()).toBe(false);
    story.cluster.clock.resume(node.place);
    story.until(() => node.member?.probe.timesFound() === 1, 5_000);
    story.healed(60_000);
  });

  test("at a learner", () => {
    const story = new Story();
    story.write(5);
    const learner = addLearner(story);
    story.write(10);
    story.misapply(learner);
    story.write(5);
    story.until(() => learner.member?.probe.timesFound() === 1, 1_000);
    expect(story.others(learner).every((node) => node.isServing())).toBe(true);
    story.healed();
    expect(learner.member?.probe.timesHealed()).toBe(1);
  });

  test("at a member that is removed while the verdict is on its way: no alarm stays", () => {
    const story = new Story({ members: 4 });
    story.write(5);
    const node = story.follower();
    const id = node.memberId as bigint;
    story.cluster.clock.run(6_000);
    story.misapply(node);
    story.put();
    story.until(() => story.logs.some(({ text }) => text.startsWith("states differ")), 1_000);
    let removed: unknown;
    story.leader().member?.memberRemove(noClient, id, (result) => {
      removed = result;
    });
    story.until(() => removed !== undefined);
    expect(removed).not.toBeInstanceOf(KvError);
    story.until(() => node.state === "down");
    node.state = "wiped";
    node.member = undefined;
    expect(story.write(20)).toBeGreaterThan(15);
    story.healed();
  });
});

function addLearner(story: Story): SimNode {
  const name = "m9";
  const { cluster } = story;
  // Members must have been connected for a while before the configuration changes.
  cluster.clock.run(6_000);
  const initialCluster = cluster.nodes.map(({ peerUrl }, place) => ({
    name: `known${place}`,
    peerUrls: [peerUrl],
  }));
  initialCluster.push({ name, peerUrls: [`http://${name}:2380`] });
  let added: unknown;
  const learner = { peerUrls: [`http://${name}:2380`], isLearner: true };
  story.leader().member?.memberAdd(noClient, learner, (result) => {
    added = result;
  });
  story.until(() => added !== undefined);
  expect(added).not.toBeInstanceOf(KvError);
  const node = cluster.addNode(name, { initialCluster, initialClusterState: "existing" });
  cluster.start(node);
  story.until(() => node.isServing());
  return node;
}

describe("healing:", () => {
  /** A follower is wrong and has just learned it. */
  function ill(options: ConstructorParameters<typeof Story>[0] = {}): {
    story: Story;
    node: SimNode;
  } {
    const story = new Story(options);
    story.write(20);
    const node = story.follower();
    story.misapply(node);
    story.put();
    story.until(() => node.isInQuarantine(), 1_000);
    return { story, node };
  }

  test("a chunk that is changed on its way is refused and asked for again", () => {
    const { story, node } = ill();
    const network = node.member?.network as { received(from: bigint, bytes: Uint8Array): void };
    const received = network?.received.bind(network);
    if (network === undefined || received === undefined) throw new Error("not up");
    let flipped = 0;
    network.received = (from, bytes) => {
      const isChunk = bytes[0] === 3 && bytes.length > 500;
      if (isChunk && flipped < 2) {
        flipped++;
        const changed = bytes.slice();
        changed[300] = (changed[300] as number) ^ 4;
        received(from, changed);
      } else received(from, bytes);
    };
    story.healed();
    expect(flipped).toBe(2);
    expect(node.member?.probe.timesHealed()).toBe(1);
  });

  test("the source dies in the middle of the transfer: another one is asked", () => {
    const { story, node } = ill({ members: 5 });
    let died: SimNode | undefined;
    story.onLog = (of, text) => {
      if (of !== node || !text.startsWith("fetching a right state") || died !== undefined) return;
      died = story.follower(node);
    };
    story.until(() => died !== undefined);
    for (const other of story.others(node, story.leader())) story.cluster.crash(other);
    story.cluster.clock.run(200);
    story.cluster.startAll();
    story.write(20);
    story.healed(60_000);
  });

  test("a crash after any event of it leads back into quarantine, and it heals", () => {
    let events = 0;
    for (let crashAt = 1; ; crashAt += crashAt < 20 ? 1 : 7) {
      const { story, node } = ill({ seed: 7 });
      events = 0;
      story.onStep = (stepped) => {
        if (stepped === node && node.isInQuarantine()) events++;
      };
      story.until(() => events >= crashAt || !node.isInQuarantine());
      if (!node.isInQuarantine()) break;
      story.cluster.crash(node, crashAt % 2 === 0 ? "power" : "kill");
      story.onStep = () => {};
      story.cluster.start(node);
      story.until(() => node.state === "up");
      expect(node.isInQuarantine(), `after event ${crashAt}`).toBe(true);
      story.write(3);
      story.healed();
      expect(story.wrongSince(story.cluster.clock.now() - 5_000)).toEqual([]);
    }
    expect(events).toBeGreaterThan(20);
  });

  test("a second member goes wrong meanwhile: one at a time, and both heal", () => {
    const { story, node } = ill({ members: 5 });
    const second = story.follower(node);
    const atOnce: number[] = [];
    const busy = new Set<SimNode>();
    story.onLog = (of, text) => {
      if (text.startsWith("fetching a right state")) busy.add(of);
      if (text.startsWith("healed")) busy.delete(of);
      atOnce.push(busy.size);
    };
    story.misapply(second);
    story.put();
    story.until(() => second.isInQuarantine(), 2_000);
    expect(node.isInQuarantine()).toBe(true);
    story.write(10);
    story.healed(60_000);
    expect(Math.max(...atOnce)).toBe(1);
    expect(second.member?.probe.timesHealed()).toBe(1);
  });
});

describe("who is right cannot be told by a majority:", () => {
  test("two members, both sound to themselves: nobody answers, and the alarm names no member", () => {
    const story = new Story({ members: 2 });
    story.write(10);
    story.misapply(story.follower());
    story.put();
    story.until(
      () => story.cluster.members().every(({ machine }) => machine.alarms().length === 1),
      60_000,
    );
    const [alarm] = story.leader().member?.machine.alarms() ?? [];
    expect(alarm).toMatchObject({ memberId: 0n, alarm: "CORRUPT" });
    const before = story.cluster.clock.now();
    const acked = story.acked.size;
    story.pass(2_000);
    story.write(5);
    expect(story.wrongSince(before)).toEqual([]);
    expect(story.acked.size).toBe(acked);
  });

  test("two members, one of which cannot prove its rows: that one is wrong", () => {
    const story = new Story({ members: 2 });
    story.write(10);
    story.durable();
    const node = story.follower();
    const name = node.member?.probe.stateName() as string;
    node.backends.faults.flipBit(name, { ...key, bit: 5 });
    story.misapply(node);
    story.put();
    story.until(() => node.isInQuarantine(), 20_000);
    story.healed();
    expect(node.member?.probe.timesHealed()).toBe(1);
  });

  test("the third is down: all stop; it comes back: the wrong one is found, all go on", () => {
    const story = new Story();
    story.write(10);
    const node = story.follower();
    const third = story.follower(node);
    story.cluster.crash(third);
    const wrong = story.misapply(node);
    story.put();
    story.until(() => story.leader().member?.machine.alarms().length === 1, 60_000);
    const stoppedMs = story.cluster.clock.now();
    expect(story.write(5)).toBe(0);
    story.cluster.start(third);
    story.until(() => node.member?.probe.timesFound() === 1, 30_000);
    story.healed(60_000);
    expect(story.wrongSince(Math.max(stoppedMs, wrong.atMs()))).toEqual([]);
  });

  test("two of three have lost the same row: the third answers alone until they have healed", () => {
    const story = new Story();
    story.write(20);
    story.durable();
    const right = story.follower();
    for (const node of story.others(right)) {
      story.cluster.crash(node);
      node.backends.faults.loseRow("state-0", key);
    }
    story.cluster.startAll();
    story.until(() => right.isServing(), 30_000);
    for (const node of story.others(right)) expect(node.isInQuarantine()).toBe(true);
    story.until(() => right.member?.probe.raft.isLeader() === true, 30_000);
    expect(story.write(20)).toBe(20);
    story.healed(60_000);
    expect(story.wrong).toEqual([]);
    expect(right.member?.probe.timesFound()).toBe(0);
  });
});

test("two of three were changed in the same way, digests and all: they find it out themselves", () => {
  const story = new Story();
  story.write(20);
  const right = story.follower();
  const others = story.others(right);
  story.durable();
  for (const node of others) {
    story.cluster.crash(node, "kill");
    const forged = node.backends.faults.forgeRow(
      node.backends.list()[0] as string,
      3,
      simHash.sha256,
    );
    expect(forged).toBeDefined();
  }
  story.cluster.startAll();
  for (const node of others) expect(node.isInQuarantine()).toBe(true);
  story.until(() => right.member?.probe.raft.isLeader() === true, 30_000);
  expect(story.write(20)).toBe(20);
  story.healed(60_000);
  expect(story.wrong).toEqual([]);
  expect(right.member?.probe.timesFound()).toBe(0);
});

test("two of three apply an entry wrongly in the same way: they outvote the third", () => {
  const story = new Story();
  story.write(20);
  const right = story.follower();
  for (const node of story.others(right)) story.misapply(node);
  story.put();
  story.until(() => right.isInQuarantine(), 2_000);
  story.write(20);
  // No comparison can find this: all three end with one state, and the third's is kept aside.
  const states = (): number => {
    const digests = story.cluster.members().map(({ machine }) => machine.digests().root);
    return new Set(digests.map((root) => Buffer.from(root).toString("hex"))).size;
  };
  story.until(() => right.isServing() && states() === 1);
  expect(right.backends.list().some((name) => name === "state-0")).toBe(true);
});

test("by flag, as in etcd: one wrong member stops all, it heals, an operator disarms the alarm", () => {
  const story = new Story({ config: { corruptScope: "cluster" } });
  story.write(10);
  const node = story.follower();
  story.misapply(node);
  story.put();
  story.until(() => node.isInQuarantine(), 2_000);
  const alarms = () => story.leader().member?.machine.alarms() ?? [];
  story.until(() => alarms().length === 1);
  expect(alarms()).toEqual([{ memberId: node.memberId, alarm: "CORRUPT" }]);
  expect(story.write(5)).toBe(0);
  story.until(() => node.isServing());
  expect(story.write(5)).toBe(0);
  const action = AlarmRequest_AlarmAction.DEACTIVATE;
  const memberID = node.memberId as bigint;
  const body = AlarmRequest.encode({ action, memberID, alarm: AlarmType.CORRUPT }).finish();
  const disarm = { field: RequestField.alarm, body, growthBytes: 0, client: noClient };
  story.leader().member?.write("/etcdserverpb.Maintenance/Alarm", disarm, () => {});
  story.until(() => alarms().length === 0);
  expect(story.write(5)).toBe(5);
  story.healed();
});

describe("a member alone:", () => {
  test.each(damages)("%s: it does not start, and says why", (_, damage) => {
    const story = new Story({ members: 1 });
    story.write(20);
    story.durable();
    const node = story.leader();
    story.write(3, 1);
    story.whileOff(node, (name) => damage(node.backends, name));
    story.until(() => node.state === "down");
    expect(node.failure).toBeInstanceOf(DamageError);
    expect(node.failure?.message.length).toBeGreaterThan(60);
    expect(story.wrong).toEqual([]);
  });
});
