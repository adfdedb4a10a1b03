/**
 * Members that come back without their disk, or with a disk of an older build. Covers cases that
 * random faults hardly reach: the member that could recognise the lost log has never heard of it.
 */

import { describe, expect, test } from "vitest";
import { KvError } from "../../base/errors.js";
import { noClient } from "../../member/gate/requests.js";
import { asFirstVersion } from "../../wal/wal.fixture.js";
import { PutRequest } from "../../wire/gen/rpc.js";
import { RequestField } from "../../wire/proposal.js";
import { SimCluster } from "./sim-cluster.js";
import type { SimNode } from "./sim-node.js";

const longMs = 20_000;
const cut = { lossPerMille: 1000, extraUs: 0 };

class Story {
  readonly cluster: SimCluster;
  #written = 0;

  constructor(members: number) {
    this.cluster = new SimCluster({ seed: 5, members });
    this.cluster.startAll();
    for (const node of this.cluster.nodes) this.untilReady(node);
  }

  until(holds: () => boolean): void {
    const isReached = this.cluster.clock.runUntil(holds, longMs);
    if (isReached) return;
    const ends = this.cluster.nodes.map(
      (node) => `${node.name} ${node.state} ${node.failure ?? ""}`,
    );
    throw new Error(`not within ${longMs} ms: ${ends.join("; ")}`);
  }

  untilReady(node: SimNode): void {
    this.until(() => node.member?.isReady() === true);
  }

  /** A write that a member acknowledges. */
  write(): void {
    const key = Buffer.from(`k${this.#written++}`);
    const put = { ...PutRequest.decode(new Uint8Array(0)), key };
    const body = PutRequest.encode(put).finish();
    let isAcknowledged = false;
    this.until(() => this.cluster.leader() !== undefined);
    const request = { field: RequestField.put, body, growthBytes: 0, client: noClient };
    this.cluster.leader()?.write("/etcdserverpb.KV/Put", request, (applied) => {
      isAcknowledged = !(applied instanceof KvError);
    });
    this.until(() => isAcknowledged);
  }

  /** From now on the node sends and receives nothing. Returns a function that ends this. */
  isolate(node: SimNode): () => void {
    const { network, nodes } = this.cluster;
    const others = new Set(nodes.map(({ place }) => place));
    others.delete(node.place);
    const self = new Set([node.place]);
    const rules = [
      network.addRule({ from: self, to: others, ...cut }),
      network.addRule({ from: others, to: self, ...cut }),
    ];
    return () => {
      for (const remove of rules) remove();
    };
  }

  /** A voter that is not started yet. */
  add(name: string): SimNode {
    const { nodes } = this.cluster;
    const known = nodes.map(({ name: other, peerUrl }) => ({ name: other, peerUrls: [peerUrl] }));
    const peerUrls = [`http://${name}:2380`];
    const node = this.cluster.addNode(name, {
      initialCluster: [...known, { name, peerUrls }],
      initialClusterState: "existing",
    });
    let isAdded = false;
    // Refused until all have been connected for a while, as in etcd.
    this.cluster.clock.run(6_000);
    this.until(() => this.cluster.leader() !== undefined);
    this.cluster.leader()?.memberAdd(noClient, { peerUrls, isLearner: false }, (answer) => {
      isAdded = !(answer instanceof KvError);
    });
    this.until(() => isAdded);
    return node;
  }

  lose(node: SimNode, initialClusterState: "new" | "existing"): void {
    this.cluster.loseDisk(node);
    node.config = { ...node.config, initialClusterState };
  }

  revisions(): number[] {
    return this.cluster.members().map((member) => member.machine.kv.revision());
  }
}

const lost = /has already been bootstrapped and lost its data.*member remove/;

describe("a lost disk", () => {
  test.each(["new", "existing"] as const)("of a founder is found out (%s)", (state) => {
    const story = new Story(3);
    const { cluster } = story;
    const leader = cluster.leaderNode() as SimNode;
    const [wiped, lags] = cluster.nodes.filter((node) => node !== leader) as [SimNode, SimNode];
    const heal = story.isolate(lags);
    for (let round = 0; round < 5; round++) story.write();
    cluster.crash(leader);
    story.lose(wiped, state);
    if (state === "existing") heal();
    cluster.start(wiped);
    cluster.clock.run(100);
    heal();
    story.until(() => wiped.failure !== undefined);
    expect(wiped.failure?.message).toMatch(lost);
    cluster.clock.run(longMs);
    expect(cluster.leader()).toBeUndefined();
    cluster.start(leader);
    story.untilReady(leader);
    story.until(() => story.revisions().length === 2 && story.revisions().every((r) => r === 6));
  });

  test("of a joiner has no vote, though the third has never heard of its log", () => {
    const story = new Story(2);
    const { cluster } = story;
    const joiner = story.add("m3");
    story.until(() =>
      cluster.members().every(({ machine }) => machine.confState.voters.length === 3),
    );
    const leader = cluster.leaderNode() as SimNode;
    const lags = cluster.nodes.find((node) => node !== leader && node !== joiner) as SimNode;
    const heal = story.isolate(lags);
    cluster.start(joiner);
    story.untilReady(joiner);
    for (let round = 0; round < 5; round++) story.write();
    cluster.crash(leader);
    story.lose(joiner, "existing");
    heal();
    cluster.start(joiner);
    cluster.clock.run(longMs);
    // No member knows the lost log, so the node waits; and there is no leader.
    expect(joiner.member?.isReady()).toBe(false);
    expect(cluster.leader()).toBeUndefined();
    cluster.start(leader);
    story.until(() => joiner.failure !== undefined);
    expect(joiner.failure?.message).toMatch(lost);
    story.until(() => story.revisions().length === 2 && story.revisions().every((r) => r === 6));
  });

  test("two grow from one, also when the first restarts before the second has run", () => {
    const story = new Story(1);
    const { cluster } = story;
    const [first] = cluster.nodes as [SimNode];
    const second = story.add("m2");
    cluster.crash(first);
    cluster.start(first);
    story.until(() => first.member?.machine.cluster.members().length === 2);
    cluster.start(second);
    story.untilReady(second);
    story.write();
    cluster.crash(first);
    cluster.start(first);
    story.write();
    // It counts like any other member now: it may lead, too.
    cluster.crash(first);
    cluster.start(first);
    story.until(() => cluster.leader() !== undefined);
    cluster.leader()?.moveLeader(second.memberId as bigint, () => {});
    story.until(() => cluster.leaderNode() === second);
    story.write();
  });

  test("a voter that joins counts while one of the others is down", () => {
    const story = new Story(3);
    const { cluster } = story;
    const joiner = story.add("m4");
    const follower = cluster.nodes.find(
      (node) => node !== cluster.leaderNode() && node !== joiner,
    ) as SimNode;
    cluster.crash(follower);
    cluster.start(joiner);
    story.untilReady(joiner);
    story.write();
  });

  test("logs of a build without incarnations go on; a disk lost after that is found out", () => {
    const story = new Story(3);
    const { cluster } = story;
    for (let round = 0; round < 5; round++) story.write();
    for (const node of cluster.nodes) cluster.stop(node);
    story.until(() => cluster.nodes.every(({ state }) => state === "down"));
    for (const node of cluster.nodes) {
      asFirstVersion(node.disk);
      node.disk.remove("incarnations.json");
    }
    cluster.startAll();
    for (const node of cluster.nodes) story.untilReady(node);
    story.write();
    const wiped = cluster.nodes.find((node) => node !== cluster.leaderNode()) as SimNode;
    story.lose(wiped, "existing");
    cluster.start(wiped);
    story.until(() => wiped.failure !== undefined);
    expect(wiped.failure?.message).toMatch(lost);
  });
});
