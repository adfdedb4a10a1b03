/** What members record when a state goes wrong, in whole simulated clusters. */

import { expect, test } from "vitest";
import { KvError } from "../../base/errors.js";
import type { Incident } from "../../integrity/incidents/incident.js";
import { noClient } from "../../member/gate/requests.js";
import { Bucket } from "../../platform/rows.js";
import { PutRequest, RangeRequest } from "../../wire/gen/rpc.js";
import { RequestField } from "../../wire/proposal.js";
import { SimCluster } from "./sim-cluster.js";
import type { SimNode } from "./sim-node.js";

function start(members = 3): SimCluster {
  const config = { snapshotCatchupEntries: 50, snapshotCount: 100 };
  const cluster = new SimCluster({ seed: 5, members, config });
  cluster.startAll();
  until(cluster, () => cluster.nodes.every((node) => node.member?.isReady() === true));
  until(cluster, () => cluster.leader() !== undefined);
  return cluster;
}

function until(cluster: SimCluster, holds: () => boolean): void {
  expect(cluster.clock.runUntil(holds, 20_000)).toBe(true);
}

function write(cluster: SimCluster, keys: readonly string[]): void {
  for (const key of keys) {
    const put = { ...PutRequest.decode(new Uint8Array(0)), key: Buffer.from(key) };
    const body = PutRequest.encode({ ...put, value: Buffer.from("value") }).finish();
    let isDone = false;
    const [member] = cluster.members();
    const request = { field: RequestField.put, body, growthBytes: 0, client: noClient };
    member?.write("/etcdserverpb.KV/Put", request, (applied) => {
      isDone = !(applied instanceof KvError);
    });
    until(cluster, () => isDone);
  }
}

function follower(cluster: SimCluster): SimNode {
  const leader = cluster.leader()?.id;
  return cluster.nodes.find(({ memberId }) => memberId !== leader) as SimNode;
}

/** This node applies the next put with another value. */
function misapplyOnce(node: SimNode): void {
  let isDone = false;
  node.applyBugs.push((_, entry) => {
    if (isDone || entry.data.length < 10) return entry;
    isDone = true;
    const data = entry.data.slice();
    data[data.length - 1] = (data[data.length - 1] as number) ^ 1;
    return { ...entry, data };
  });
}

const incidentsOf = (node: SimNode): readonly Incident[] =>
  node.member?.probe.incidents.all() ?? [];
const kinds = (incident: Incident | undefined): string[] =>
  (incident?.steps ?? []).map(({ kind }) => kind);
const metric = (node: SimNode, name: string): (number | undefined)[] =>
  (node.member?.metrics() ?? [])
    .filter((sample) => sample.name === name)
    .map((sample) => ("value" in sample ? sample.value : undefined));
const isOver = (node: SimNode): boolean => kinds(incidentsOf(node)[0]).includes("ended");

test("each member tells the whole story of an entry that one applied wrongly", () => {
  const cluster = start();
  write(cluster, ["a", "b"]);
  const wrong = follower(cluster);
  const name = wrong.memberId?.toString(16);
  const applied = (): number => wrong.member?.machine.appliedIndex ?? 0;
  until(cluster, () => applied() === cluster.leader()?.machine.appliedIndex);
  misapplyOnce(wrong);
  write(cluster, ["wrong"]);
  until(cluster, () => metric(wrong, "lockstep_quarantine")[0] === 1);
  until(cluster, () => cluster.nodes.every(isOver));
  for (const [name, value] of Object.entries({
    quarantine: 0,
    incidents_total: 1,
    healed_total: 1,
  }))
    expect(metric(wrong, `lockstep_${name}`), name).toEqual([value]);
  until(cluster, () => kinds(incidentsOf(wrong)[0]).includes("rows"));

  const leader = cluster.nodes.find((node) => node.memberId === cluster.leader()?.id) as SimNode;
  const [told] = incidentsOf(leader);
  expect(kinds(told)).toEqual(
    expect.arrayContaining(["detected", "decided", "contained", "cleared"]),
  );
  expect(kinds(told).at(-1)).toBe("ended");
  expect(incidentsOf(leader)).toHaveLength(1);
  // What it was given to apply was another entry, too.
  expect(told?.steps[0]).toMatchObject({ member: name, difference: "log" });
  expect(told?.steps[0]?.evidence).toHaveLength(2);
  const decided = told?.steps.filter(({ kind }) => kind === "decided").at(-1);
  expect(decided?.text).toBe(`wrong by majority: ${name}`);

  const [own, ...more] = incidentsOf(wrong);
  expect(more).toEqual([]);
  const steps = kinds(own);
  expect(steps.indexOf("quarantined")).toBeGreaterThanOrEqual(0);
  expect(steps.indexOf("adopted")).toBeGreaterThan(steps.indexOf("quarantined"));
  expect(steps.indexOf("cleared")).toBeGreaterThan(steps.indexOf("adopted"));
  const rows = own?.steps.find(({ kind }) => kind === "rows")?.rows;
  expect(rows?.problem).toBe("");
  expect(rows?.rows).toMatchObject([{ bucket: "key", text: "wrong", fault: "different" }]);
  expect(rows?.faults).toEqual({ missing: 0, extra: 0, different: 1, damaged: 0 });
});

test("a damaged row is named, and incidents outlive a restart of their member", () => {
  const cluster = start();
  write(cluster, ["a", "b", "c", "d"]);
  const wrong = follower(cluster);
  const backend = wrong.member?.probe.stateName() as string;
  until(cluster, () => (wrong.member?.probe.durableIndex() ?? 0) > 8);
  expect(
    wrong.backends.faults.flipBit(backend, { bucket: Bucket.key, row: 2, bit: 5 }),
  ).toBeDefined();
  const read = { ...RangeRequest.decode(new Uint8Array(0)), key: Buffer.from("c") };
  let damage: Error | undefined;
  try {
    wrong.member?.machine.kv.range(read);
  } catch (error) {
    damage = error as Error;
  }
  wrong.member?.fail(damage as Error);
  until(cluster, () => isOver(wrong));
  until(cluster, () => kinds(incidentsOf(wrong)[0]).includes("rows"));
  const before = incidentsOf(wrong);
  expect(before[0]?.steps[0]?.text).toContain("fails its check value");
  const rows = before[0]?.steps.find(({ kind }) => kind === "rows")?.rows;
  expect(rows?.rows).toMatchObject([{ text: "c", fault: "damaged" }]);

  cluster.clock.run(100);
  cluster.crash(wrong);
  cluster.clock.run(100);
  cluster.start(wrong);
  until(cluster, () => wrong.member?.isReady() === true);
  expect(incidentsOf(wrong)).toEqual(before);
});

test("two members that differ, each proving its own state: both tell that nobody knows", () => {
  const cluster = start(2);
  write(cluster, ["a", "b"]);
  misapplyOnce(follower(cluster));
  write(cluster, ["wrong"]);
  const isUndecided = (node: SimNode): boolean => kinds(incidentsOf(node)[0]).includes("undecided");
  until(cluster, () => cluster.nodes.every(isUndecided));
  // The member asks again and gets the same answer: it records it once.
  cluster.clock.run(3_000);
  for (const node of cluster.nodes) {
    expect(incidentsOf(node)).toHaveLength(1);
    expect(kinds(incidentsOf(node)[0]).length).toBeLessThan(6);
    expect(kinds(incidentsOf(node)[0])).not.toContain("quarantined");
    expect(kinds(incidentsOf(node)[0])).not.toContain("ended");
  }
});

test("metrics: how far peers were compared; one that cannot be compared is not told to be fine", () => {
  const cluster = start();
  write(cluster, ["a", "b"]);
  const leader = cluster.nodes.find(({ memberId }) => memberId === cluster.leader()?.id) as SimNode;
  const verified = (node: SimNode): (number | undefined)[] =>
    metric(node, "lockstep_integrity_verified_index");
  until(cluster, () => verified(leader).every((index) => (index ?? 0) > 6));
  expect(verified(leader)).toHaveLength(2);
  expect(metric(leader, "lockstep_integrity_comparable")).toEqual([1, 1]);
  // Followers compare with the leader only.
  expect(verified(follower(cluster))).toHaveLength(1);
  const fingerprints = leader.member?.probe.fingerprints;
  const proof = fingerprints?.outgoing();
  const other = follower(cluster);
  if (proof === undefined || other.memberId === undefined) throw new Error("not up");
  fingerprints?.received(other.memberId, { ...proof, version: 99 });
  expect(metric(leader, "lockstep_integrity_comparable").sort()).toEqual([0, 1]);
  expect(leader.member?.integrity().peer(other.memberId).state).toBe("not comparable");
});
