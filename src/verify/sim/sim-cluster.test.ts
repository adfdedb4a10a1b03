/**
 * The production member under crashes, partitions, loss and torn disks, seed by seed. What must
 * hold: an acknowledged write is never lost, a read never goes back behind an acknowledged write,
 * no write is applied twice, all members have one history, and after healing the cluster works.
 */
import { describe, expect, test } from "vitest";
import { KvError } from "../../base/errors.js";
import { RequestField } from "../../member/types.js";
import { nodeHash } from "../../platform/node/hash.js";
import { scanDigests } from "../../state/digest.js";
import { PutRequest, RangeRequest } from "../../wire/gen/rpc.js";
import { decodeKeyValue } from "../../wire/key-value.js";
import { SimCluster } from "./sim-cluster.js";

const seeds = Array.from({ length: Number(process.env.SIM_SEEDS ?? 12) }, (_, at) => at + 1);

function put(key: string, value: string): Uint8Array {
  return PutRequest.encode({
    key: Buffer.from(key),
    value: Buffer.from(value),
    lease: 0n,
    prev_kv: false,
    ignore_value: false,
    ignore_lease: false,
  }).finish();
}

/** Clients that write unique values and read, through whatever member is up. */
class Load {
  readonly acked = new Map<string, number>();
  readonly tried = new Set<string>();
  ackedMax = 0;
  reads = 0;
  #next = 0;
  readonly #cluster: SimCluster;

  constructor(cluster: SimCluster) {
    this.#cluster = cluster;
  }

  round(): void {
    const { rng } = this.#cluster;
    const members = this.#cluster.members().filter((member) => member.isReady());
    const member = members[rng.int(Math.max(1, members.length))];
    if (member === undefined) return;
    if (rng.int(4) === 0) {
      const floor = this.ackedMax;
      member.readBarrier((error) => {
        if (error instanceof KvError) return;
        this.reads++;
        expect(member.machine.kv.revision()).toBeGreaterThanOrEqual(floor);
      });
      return;
    }
    const value = `v${this.#next++}`;
    this.tried.add(value);
    const body = put(`k${rng.int(20)}`, value);
    member.propose({ field: RequestField.put, body, growthBytes: 0 }, (applied) => {
      if (applied instanceof KvError) return;
      this.acked.set(value, applied.revision);
      this.ackedMax = Math.max(this.ackedMax, applied.revision);
    });
  }
}

function runSeed(
  seed: number,
  members: number,
): { readonly cluster: SimCluster; readonly load: Load } {
  const cluster = new SimCluster({
    seed,
    members,
    hash: nodeHash,
    // Small numbers, so that snapshots and purges happen often.
    config: { snapshotCount: 40, snapshotCatchupEntries: 10 },
  });
  const { rng, clock } = cluster;
  cluster.network.faults.lossPerMille = rng.int(3) * 20;
  cluster.network.faults.duplicatePerMille = rng.int(3) * 20;
  cluster.network.faults.delayMsMax = 3 + rng.int(40);
  cluster.startAll();
  const load = new Load(cluster);
  for (let round = 0; round < 120; round++) {
    for (let request = 0; request < 5; request++) load.round();
    clock.run(10 + rng.int(150));
    cluster.checkStates();
    const node = cluster.nodes[rng.int(cluster.nodes.length)];
    if (node === undefined) continue;
    const dice = rng.int(12);
    if (dice === 0 && node.member !== undefined) cluster.crash(node);
    else if (dice <= 2 && node.member === undefined) cluster.start(node);
    else if (dice === 3) cluster.partition([node]);
    else if (dice <= 5) cluster.network.heal();
  }
  cluster.network.heal();
  cluster.network.faults.lossPerMille = 0;
  for (const node of cluster.nodes) if (node.member === undefined) cluster.start(node);
  return { cluster, load };
}

function expectHealed(cluster: SimCluster): void {
  let written = false;
  const healed = cluster.clock.runUntil(() => {
    const leader = cluster.leader();
    if (leader?.isReady() && !written) {
      written = true;
      const body = put("last", "word");
      leader.propose({ field: RequestField.put, body, growthBytes: 0 }, (applied) => {
        written = !(applied instanceof KvError);
      });
    }
    const indexes = new Set(cluster.members().map((member) => member.machine.appliedIndex));
    const has = (key: string): boolean =>
      leader?.machine.kv.kvAt(Buffer.from(key), leader.machine.kv.revision()) !== undefined;
    return cluster.members().length === cluster.nodes.length && indexes.size === 1 && has("last");
  }, 60_000);
  expect(healed, cluster.trace.slice(-40).join("\n")).toBe(true);
}

/** Every value of every key in the whole history: nothing here is compacted. */
function allValues(cluster: SimCluster): Map<string, number> {
  const values = new Map<string, number>();
  const { kv } = (cluster.members()[0] as ReturnType<SimCluster["members"]>[number]).machine;
  kv.history({ from: 1, to: kv.revision() + 1, revisionsMax: 1e9 }, ({ revision, events }) => {
    for (const event of events) {
      const value = Buffer.from(decodeKeyValue(event.kv).value).toString();
      expect(values.has(value), `${value} is applied twice`).toBe(false);
      values.set(value, revision);
    }
  });
  return values;
}

describe.each([1, 3, 5])("%i members", (members) => {
  const served: boolean[] = [];

  test.each(seeds)("seed %i: crashes, partitions and torn disks", (seed) => {
    const { cluster, load } = runSeed(seed, members);
    expectHealed(cluster);
    cluster.checkStates();
    const values = allValues(cluster);
    for (const [value, revision] of load.acked) expect(values.get(value)).toBe(revision);
    for (const value of values.keys()) {
      expect(load.tried.has(value) || value === "word").toBe(true);
    }
    for (const node of cluster.nodes) {
      const stored = node.member?.machine.digests().buckets;
      const backend = node.member?.engine.state.backend();
      if (backend !== undefined) expect(scanDigests(backend, nodeHash.sha256)).toEqual(stored);
    }
    served.push(load.acked.size > 20);
  });

  test("nearly all of these clusters served their clients", () => {
    // A few have no quorum for long enough: a partition or a crash after each election.
    expect(served.filter((isServed) => !isServed).length).toBeLessThanOrEqual(served.length / 20);
  });
});

test("the same seed gives the same trace", () => {
  const traces = [1, 2].map(() => {
    const { cluster, load } = runSeed(7, 3);
    const { messages } = cluster.network;
    return { trace: cluster.trace, messages, steps: cluster.clock.steps, acked: [...load.acked] };
  });
  expect(traces[0]).toEqual(traces[1]);
});

test("a member that was away for long comes back by a snapshot", () => {
  const cluster = new SimCluster({
    seed: 3,
    members: 3,
    hash: nodeHash,
    config: { snapshotCount: 40, snapshotCatchupEntries: 10 },
  });
  cluster.startAll();
  const isUp = (): boolean => cluster.members().filter((member) => member.isReady()).length === 3;
  expect(cluster.clock.runUntil(isUp, 10_000)).toBe(true);
  const away = cluster.nodes.find((node) => node.member?.id !== cluster.leader()?.id);
  if (away === undefined) throw new Error("no follower");
  cluster.crash(away);
  const load = new Load(cluster);
  for (let round = 0; round < 300; round++) {
    load.round();
    cluster.clock.run(20);
  }
  cluster.start(away);
  expectHealed(cluster);
  cluster.checkStates();
  expect(cluster.trace.some((line) => line.includes(`${away.name} info applied snapshot`))).toBe(
    true,
  );
  const range = RangeRequest.decode(new Uint8Array(0));
  const all = { ...range, key: Buffer.from([0]), range_end: Buffer.from([0]) };
  const answers = cluster.members().map((member) => member.machine.kv.range(all).count);
  expect(new Set(answers).size).toBe(1);
});
