/**
 * Clusters whose members run different versions: rolling upgrades, downgrades, and members that
 * refuse.
 */

import { describe, expect, test } from "vitest";
import { KvError, StartError } from "../../base/errors.js";
import { noClient } from "../../member/gate/requests.js";
import type { RunningMember } from "../../member/member.js";
import { nodeHash } from "../../platform/node/hash.js";
import { DowngradeInfoSetRequest } from "../../wire/gen/internal.js";
import { PutRequest } from "../../wire/gen/rpc.js";
import { RequestField } from "../../wire/proposal.js";
import { SimCluster } from "./sim-cluster.js";

type Node = SimCluster["nodes"][number];
type Trio = [Node, Node, Node];

const tooLow = "invalid downgrade; server version is lower than determined cluster version";
const tooHigh = "server version is more than one minor above the cluster version";

class Story {
  readonly cluster: SimCluster;
  readonly nodes: Trio;
  readonly acked = new Map<string, number>();
  #written = 0;

  constructor(version: string, config: { readonly snapshotCount?: number } = {}) {
    const options = {
      seed: 11,
      members: 3,
      hash: nodeHash,
      config: { serverVersion: version, snapshotCatchupEntries: 10, ...config },
    };
    this.cluster = new SimCluster(options);
    this.nodes = this.cluster.nodes as Trio;
    this.cluster.startAll();
    for (const node of this.nodes) this.untilReady(node);
  }

  until(holds: () => boolean): void {
    expect(this.cluster.clock.runUntil(holds, 20_000)).toBe(true);
  }

  untilReady(node: Node): void {
    this.until(() => node.member?.isReady() === true);
  }

  /** The version that every running member has. */
  versions(): string[] {
    return this.cluster.members().map((member) => member.machine.cluster.clusterVersion());
  }

  untilVersion(version: string): void {
    this.until(() => this.versions().every((text) => text === version));
  }

  write(count: number): void {
    for (let round = 0; round < count; round++) {
      const key = `k${this.#written++}`;
      const put = { ...PutRequest.decode(new Uint8Array(0)), key: Buffer.from(key) };
      const body = PutRequest.encode(put).finish();
      const request = { field: RequestField.put, body, growthBytes: 0, client: noClient };
      this.cluster.leader()?.write("/etcdserverpb.KV/Put", request, (applied) => {
        if (!(applied instanceof KvError)) this.acked.set(key, applied.revision);
      });
      this.cluster.clock.run(30);
    }
  }

  stop(node: Node): void {
    let isStopped = false;
    node.member?.stop(() => {
      isStopped = true;
    });
    this.until(() => isStopped);
    this.cluster.crash(node);
  }

  startAs(node: Node, serverVersion: string): void {
    Object.assign(node, { config: { ...node.config, serverVersion } });
    this.cluster.start(node);
  }

  /** The other build replaces the running one; clients write meanwhile. */
  replace(node: Node, serverVersion: string): void {
    this.stop(node);
    this.write(5);
    this.startAs(node, serverVersion);
    this.write(5);
    this.untilReady(node);
    expect(node.member?.status().version).toBe(serverVersion);
  }

  /** Starts the node and returns why it ended. It must end, and is down afterwards. */
  refusal(node: Node, serverVersion: string): Error | undefined {
    this.startAs(node, serverVersion);
    this.until(() => node.failure !== undefined);
    const { failure } = node;
    this.cluster.crash(node);
    expect(failure).toBeInstanceOf(StartError);
    expect(failure?.message).toContain(`this server is ${serverVersion}, the cluster `);
    return failure;
  }

  downgradeTo(ver: string): void {
    const body = DowngradeInfoSetRequest.encode({ enabled: true, ver }).finish();
    const field = RequestField.downgradeInfoSet;
    const request = { field, body, growthBytes: 0, client: noClient };
    let outcome: unknown;
    const leader = this.cluster.leader() as RunningMember;
    leader.write("/etcdserverpb.Maintenance/Downgrade", request, (applied) => {
      outcome = applied instanceof KvError ? applied : applied.outcome;
    });
    this.until(() => outcome !== undefined);
    expect(outcome).toEqual({ kind: "clusterVersion", version: ver });
  }

  /** All members have one state, and no acknowledged write is missing. */
  check(): void {
    const members = this.cluster.members();
    expect(members).toHaveLength(3);
    this.until(() => new Set(members.map((member) => member.machine.appliedIndex)).size === 1);
    const roots = members.map(({ machine }) => Buffer.from(machine.digests().root).toString("hex"));
    expect(new Set(roots).size).toBe(1);
    expect(this.acked.size).toBeGreaterThan(10);
    for (const [key, revision] of this.acked) {
      for (const { machine } of members) {
        expect(machine.kv.kvAt(Buffer.from(key), revision), key).toBeDefined();
      }
    }
  }
}

test("a rolling upgrade: the cluster rises with the last member, and is then closed to the old", () => {
  const story = new Story("3.6.0");
  const [a, b, c] = story.nodes;
  story.untilVersion("3.6.0");
  story.replace(a, "3.7.2");
  story.replace(b, "3.7.2");
  story.write(20);
  expect(story.versions()).toEqual(["3.6.0", "3.6.0", "3.6.0"]);
  story.stop(c);
  expect(story.refusal(c, "3.8.0")?.message).toContain(tooHigh);
  expect(story.refusal(c, "3.5.9")?.message).toContain(tooLow);
  story.write(5);
  expect(new Set(story.versions())).toEqual(new Set(["3.6.0"]));
  story.startAs(c, "3.7.0");
  story.untilReady(c);
  story.untilVersion("3.7.0");
  expect(c.member?.status()).toMatchObject({ version: "3.7.0", storageVersion: "3.7.0" });
  story.write(5);
  story.check();
  story.stop(c);
  expect(story.refusal(c, "3.6.0")?.message).toContain(tooLow);
  for (const node of [a, b]) {
    story.cluster.crash(node);
    story.startAs(node, "3.7.2");
  }
  story.startAs(c, "3.8.0");
  for (const node of story.nodes) story.untilReady(node);
  story.write(5);
  expect(story.versions()).toEqual(["3.7.0", "3.7.0", "3.7.0"]);
  story.check();
});

describe.each(["the log", "a snapshot"])("told by %s", (way) => {
  test("a member that finds the cluster above its build stops; a newer build goes on", () => {
    const story = new Story("3.6.0", way === "the log" ? {} : { snapshotCount: 30 });
    const [a, b, c] = story.nodes;
    story.replace(a, "3.7.0");
    story.replace(c, "3.7.0");
    story.stop(c);
    // C's published version counts, so the cluster's version rises without C.
    story.replace(b, "3.7.0");
    story.untilVersion("3.7.0");
    story.write(way === "the log" ? 5 : 60);
    expect(story.refusal(c, "3.6.0")?.message).toContain(tooLow);
    // C's disk holds what it has learned: there one minor above the cluster's version is allowed.
    story.startAs(c, "3.8.0");
    story.untilReady(c);
    story.write(5);
    story.check();
  });
});

test("a downgrade: the cluster goes down first, the members follow, and it stays there", () => {
  const story = new Story("3.7.0");
  story.untilVersion("3.7.0");
  const [a] = story.nodes;
  story.stop(a);
  expect(story.refusal(a, "3.6.0")?.message).toContain(tooLow);
  story.startAs(a, "3.7.0");
  story.untilReady(a);
  story.downgradeTo("3.6.0");
  story.untilVersion("3.6.0");
  for (const node of story.nodes) {
    expect(node.member?.status()).toMatchObject({ version: "3.7.0", downgradeTarget: "3.6.0" });
  }
  for (const node of story.nodes) story.replace(node, "3.6.0");
  story.until(() =>
    story.cluster.members().every(({ machine }) => machine.cluster.downgradeTarget() === undefined),
  );
  story.write(5);
  expect(story.versions()).toEqual(["3.6.0", "3.6.0", "3.6.0"]);
  story.check();
});

test("a member that joins asks first: two minors off it refuses, one above it takes part", () => {
  const story = new Story("3.6.0");
  story.untilVersion("3.6.0");
  // A strict cluster changes only when all have been connected for a while.
  story.cluster.clock.run(6_000);
  story.cluster
    .leader()
    ?.memberAdd(noClient, { peerUrls: ["http://m4:2380"], isLearner: true }, () => {});
  // Any of them may be asked.
  const hasFour = ({ machine }: RunningMember): boolean => machine.cluster.members().length === 4;
  story.until(() => story.cluster.members().every(hasFour));
  const names = ["m1", "m2", "m3", "m4"];
  const d = story.cluster.addNode("m4", {
    initialCluster: names.map((name) => ({ name, peerUrls: [`http://${name}:2380`] })),
    initialClusterState: "existing",
  });
  expect(story.refusal(d, "3.8.0")?.message).toContain(tooHigh);
  story.startAs(d, "3.7.0");
  story.untilReady(d);
  expect(d.member?.machine.cluster.clusterVersion()).toBe("3.6.0");
  expect(d.member?.machine.cluster.member(d.member.id)?.serverVersion).toBe("3.7.0");
});
