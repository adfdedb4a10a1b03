/** Members whose state goes wrong: found, contained alone, healed, and nothing wrong is answered. */
import { describe, expect, test } from "vitest";
import { KvError } from "../../base/errors.js";
import { RequestField } from "../../member/types.js";
import { Bucket } from "../../platform/backend.js";
import type { Entry } from "../../raft/types.js";
import { PutRequest, RangeRequest } from "../../wire/gen/rpc.js";
import { SimCluster } from "./sim-cluster.js";
import type { SimNode } from "./sim-node.js";

class Story {
  readonly cluster: SimCluster;
  readonly acked = new Map<string, number>();
  #written = 0;

  constructor(members = 3, seed = 5) {
    const config = { snapshotCatchupEntries: 50, snapshotCount: 100 };
    this.cluster = new SimCluster({ seed, members, config });
    this.cluster.startAll();
    this.until(() => this.cluster.nodes.every((node) => node.member?.isReady() === true));
  }

  until(holds: () => boolean, ms = 20_000): void {
    const isReached = this.cluster.clock.runUntil(holds, ms);
    expect(isReached).toBe(true);
  }

  leader(): SimNode {
    this.until(() => this.cluster.leader() !== undefined);
    const id = this.cluster.leader()?.id;
    return this.cluster.nodes.find((node) => node.memberId === id) as SimNode;
  }

  follower(): SimNode {
    const leader = this.leader();
    return this.cluster.nodes.find((node) => node !== leader) as SimNode;
  }

  write(count: number): number {
    const before = this.acked.size;
    for (let round = 0; round < count; round++) {
      const key = `k${this.#written++}`;
      const put = { ...PutRequest.decode(new Uint8Array(0)), key: Buffer.from(key) };
      const body = PutRequest.encode(put).finish();
      const request = { field: RequestField.put, body, growthBytes: 0 };
      const proposer = this.cluster.members().find((member) => member.refusal() === undefined);
      proposer?.propose(request, (applied) => {
        if (!(applied instanceof KvError)) this.acked.set(key, applied.revision);
      });
      this.cluster.clock.run(30);
    }
    return this.acked.size - before;
  }

  /** All members have one state again, serve, and nothing acknowledged is missing. */
  healed(): void {
    this.until(() => this.cluster.members().every((member) => member.refusal() === undefined));
    this.write(3);
    const members = this.cluster.members();
    expect(members).toHaveLength(this.cluster.nodes.length);
    this.until(() => new Set(members.map(({ machine }) => machine.appliedIndex)).size === 1);
    const roots = members.map(({ machine }) => Buffer.from(machine.digests().root).toString("hex"));
    expect(new Set(roots).size).toBe(1);
    expect(members[0]?.machine.alarms()).toEqual([]);
    for (const [key, revision] of this.acked) {
      for (const { machine } of members) {
        expect(machine.kv.kvAt(Buffer.from(key), revision), key).toBeDefined();
      }
    }
  }
}

/** The next entry that puts something is applied with another value at this node. */
function misapplyOnce(node: SimNode): void {
  const machine = node.member?.machine;
  if (machine === undefined) throw new Error("not up");
  const apply = machine.apply.bind(machine);
  let isDone = false;
  machine.apply = (entry: Entry) => {
    if (isDone || entry.data.length < 10) return apply(entry);
    isDone = true;
    const data = entry.data.slice();
    data[data.length - 1] = (data[data.length - 1] as number) ^ 1;
    return apply({ ...entry, data });
  };
}

describe.each(["follower", "leader"] as const)("the %s applies an entry wrongly:", (role) => {
  test("it is found at once, contained alone, and heals while the others serve", () => {
    const story = new Story();
    story.write(20);
    const node = role === "leader" ? story.leader() : story.follower();
    misapplyOnce(node);
    const startUs = story.cluster.clock.nowUs();
    story.write(1);
    story.until(() => node.member?.refusal() !== undefined, 1_000);
    expect(story.cluster.clock.nowUs() - startUs).toBeLessThan(400_000);
    const others = story.cluster.members().filter((member) => member !== node.member);
    expect(others.map((member) => member.refusal())).toEqual([undefined, undefined]);
    if (role === "follower") expect(story.write(20)).toBeGreaterThan(15);
    story.healed();
    expect(node.member?.engine.guardian.healed).toBe(1);
  });
});

test("a row that fails its check value is not answered; its member heals", () => {
  const story = new Story();
  story.write(20);
  const node = story.follower();
  const backend = node.member?.engine.state.name() as string;
  story.until(() => (node.member?.engine.committer.durableIndex() ?? 0) > 20);
  expect(
    node.backends.faults.flipBit(backend, { bucket: Bucket.key, row: 3, bit: 5 }),
  ).toBeDefined();
  const range = { key: Buffer.from("k0"), range_end: Buffer.from("z") };
  const request = { ...RangeRequest.decode(new Uint8Array(0)), ...range };
  let damage: Error | undefined;
  try {
    node.member?.machine.kv.range(request);
  } catch (error) {
    damage = error as Error;
  }
  expect(damage?.message).toContain("fails its check value");
  node.member?.fail(damage as Error);
  expect(node.member?.refusal()).toBeInstanceOf(KvError);
  story.write(20);
  story.healed();
});
