/**
 * The fault matrix of docs/integrity.md in the simulator: one state goes wrong in each known way,
 * at each kind of member. The cluster finds it, clients get no wrong answer after that, the others
 * go on, and the member heals.
 */

import { describe, expect, test } from "vitest";
import { DamageError, KvError } from "../../base/errors.js";
import { noClient } from "../../member/gate/requests.js";
import { Bucket } from "../../platform/rows.js";
import { Story } from "./integrity-story.fixture.js";
import type { MemoryBackendStore } from "./platform/memory-backend.js";
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
      // Both sides find the difference, each with the next message of the other.
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
