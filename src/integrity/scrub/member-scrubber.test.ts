/** The scrub in whole members under virtual time: no false alarms, and what rots is told. */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { noClient } from "../../member/gate/requests.js";
import type { RunningMember } from "../../member/member.js";
import { Bucket } from "../../platform/rows.js";
import { bytes, putOf } from "../../state/machine.fixture.js";
import { SimCluster } from "../../verify/sim/sim-cluster.js";
import type { SimNode } from "../../verify/sim/sim-node.js";
import { DeleteRangeRequest, PutRequest } from "../../wire/gen/rpc.js";
import { RequestField } from "../../wire/proposal.js";
import type { ScrubFinding } from "./finding.js";

const config = {
  scrubIntervalMs: 3_000,
  scrubBytesPerSecond: 4 * 1024,
  walSegmentBytes: 16 * 1024,
  snapshotCount: 60,
  snapshotCatchupEntries: 20,
  compactionBatchLimit: 5,
};

function started(members: number, seed = 1): SimCluster {
  const cluster = new SimCluster({ seed, members, config });
  cluster.startAll();
  expect(cluster.clock.runUntil(() => cluster.leader()?.isReady() === true, 30_000)).toBe(true);
  return cluster;
}

function put(member: RunningMember, key: string, value: string): void {
  const body = PutRequest.encode(putOf(key, value)).finish();
  const request = { field: RequestField.put, body, growthBytes: 0, client: noClient };
  member.write("/etcdserverpb.KV/Put", request, () => {});
}

function scrubbed(cluster: SimCluster, member: RunningMember): readonly ScrubFinding[] {
  let findings: readonly ScrubFinding[] | undefined;
  member.probe.scrubber.scrubNow((end) => {
    if (!(end instanceof Error)) findings = end.findings;
  });
  expect(cluster.clock.runUntil(() => findings !== undefined, 300_000)).toBe(true);
  return findings ?? [];
}

const nothing = { row: 0, rows: 0, digest: 0, wal: 0 };

type Step =
  | { readonly kind: "put"; readonly key: number; readonly bytes: number }
  | { readonly kind: "delete"; readonly key: number }
  | { readonly kind: "lease" | "compact" | "defragment" | "restart" | "crash" }
  | { readonly kind: "wait"; readonly ms: number };

const kindOnly = (...kinds: ("lease" | "compact" | "defragment" | "restart" | "crash")[]) =>
  fc.constantFrom(...kinds).map((kind): Step => ({ kind }));
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant("put" as const),
      key: fc.nat(20),
      bytes: fc.nat(3_000),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("delete" as const), key: fc.nat(20) }) },
  { weight: 4, arbitrary: kindOnly("lease", "compact", "defragment") },
  { weight: 1, arbitrary: kindOnly("restart", "crash") },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.nat(12_000) }) },
);

function run(cluster: SimCluster, node: SimNode, each: Step): void {
  const { member } = node;
  if (each.kind === "wait") cluster.clock.run(each.ms);
  if (member === undefined) return;
  switch (each.kind) {
    case "put":
      put(member, `k${each.key}`, "v".repeat(each.bytes));
      break;
    case "delete": {
      const key = bytes(`k${each.key}`);
      const remove = { key, range_end: bytes(""), prev_kv: false };
      const body = DeleteRangeRequest.encode(remove).finish();
      const request = { field: RequestField.deleteRange, body, growthBytes: 0, client: noClient };
      member.write("/etcdserverpb.KV/DeleteRange", request, () => {});
      break;
    }
    case "lease":
      member.leaseGrant(noClient, { id: 0n, ttl: 10 }, () => {});
      break;
    case "compact":
      member.compact(
        noClient,
        { revision: member.machine.kv.revision(), physical: false },
        () => {},
      );
      break;
    case "defragment":
      member.defragment(() => {});
      break;
    case "crash":
      cluster.crash(node);
      break;
    case "restart":
      cluster.stop(node);
      break;
  }
}

test("whatever a member does meanwhile, a healthy one has no finding", () => {
  let cycles = 0;
  let restarts = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 60 }), fc.nat(1_000), (steps, seed) => {
      const cluster = started(1, seed);
      const [node] = cluster.nodes as [SimNode];
      for (const each of steps) {
        if (node.state === "down") cluster.start(node);
        run(cluster, node, each);
        const stats = node.member?.probe.scrubber.stats();
        expect(stats?.findings ?? nothing).toEqual(nothing);
      }
      cluster.clock.run(60_000);
      const { member } = node;
      if (member === undefined) return;
      const stats = member.probe.scrubber.stats();
      expect(stats.findings).toEqual(nothing);
      cycles += stats.cycles;
      restarts += stats.restarts;
    }),
    { numRuns: 80 },
  );
  expect(cycles).toBeGreaterThan(25);
  expect(restarts).toBeGreaterThan(0);
});

describe("three members", () => {
  test("one that fetches states under its scrub finds nothing", () => {
    for (let seed = 1; seed <= 4; seed++) {
      const cluster = started(3, seed);
      const node = cluster.nodes.find(({ member }) => member !== cluster.leader()) as SimNode;
      let cycles = 0;
      for (let round = 0; round < 4; round++) {
        cluster.crash(node);
        for (let at = 0; at < 150; at++) {
          const leader = cluster.leader();
          if (leader !== undefined) put(leader, `k${at}`, "v".repeat(40));
          cluster.clock.run(20);
        }
        cluster.start(node);
        cluster.clock.run(25_000);
        for (const { probe } of cluster.members()) {
          const { scrubber } = probe;
          expect(scrubber.stats().findings).toEqual(nothing);
          cycles += scrubber.stats().cycles;
        }
        expect(node.member?.machine.appliedIndex).toBe(cluster.leader()?.machine.appliedIndex);
      }
      expect(cycles).toBeGreaterThan(4);
    }
  });

  test("the one whose data rots tells it and heals; the metrics show it; the others find nothing", () => {
    const cluster = started(3);
    const leader = cluster.leader() as RunningMember;
    for (let at = 0; at < 30; at++) put(leader, `k${at}`, "v".repeat(300));
    cluster.clock.run(5_000);
    const node = cluster.nodes.find((each) => each.member !== leader) as SimNode;
    const member = node.member as RunningMember;
    const [name] = node.backends.list() as [string];
    const key = node.backends.faults.flipBit(name, { bucket: Bucket.key, row: 7, bit: 100 });
    expect(scrubbed(cluster, member)).toMatchObject([{ kind: "row", bucket: Bucket.key, key }]);

    expect(cluster.clock.runUntil(() => member.probe.timesHealed() === 1, 20_000)).toBe(true);
    const segment = node.disk.list("wal").findLast((file) => file.endsWith(".wal"));
    node.disk.flipBit(`wal/${segment}`, 30, 1);
    expect(scrubbed(cluster, member).map(({ kind }) => kind)).toEqual(["wal"]);
    for (const other of cluster.members()) {
      if (other !== member) expect(scrubbed(cluster, other)).toEqual([]);
    }
    const found = member.metrics().filter(({ name }) => name === "lockstep_scrub_findings_total");
    const labels = found.map((sample) => "labels" in sample && sample.labels);
    expect(labels).toEqual(Object.keys(nothing).map((kind) => ({ kind })));
    expect(found[0]).toMatchObject({ value: member.probe.scrubber.stats().findings.row });
    expect(member.probe.scrubber.stats().findings.row).toBeGreaterThan(0);
  });
});
