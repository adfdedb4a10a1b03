/**
 * One request that changes or reads very many rows, at three members: nobody is deposed meanwhile,
 * small requests are answered, memory stays bounded; and a member that is killed in the middle has
 * all of it or nothing when it comes back.
 */
import { afterEach, expect, test } from "vitest";
import { complete } from "../../src/cli/ctl/method.js";
import * as rpc from "../../src/wire/gen/rpc.js";
import { bytes, type EtcdClient } from "../support/client.js";
import { Cluster, type ClusterMember } from "../support/cluster.js";
import { manyKey, manyKeysFlags, peakMiB, putMany } from "../support/many-keys.js";
import { runSeed, SeededRng } from "../support/seeded-rng.js";

const limitMs = 300_000;
/** `npm test` takes fewer keys than a campaign. */
const scale = process.env["LOCKSTEP_CAMPAIGNS"] === "1" ? 5 : 1;
const everything = { key: bytes("many/"), range_end: bytes("many0") };
const patient = { timeoutMs: 120_000 };

let cluster: Cluster | undefined;
afterEach(async () => {
  await cluster?.dispose();
  cluster = undefined;
});

async function start(): Promise<{ readonly leader: ClusterMember; readonly all: Cluster }> {
  cluster = await Cluster.start({ kind: "lockstep", size: 3, flags: manyKeysFlags });
  return { leader: await cluster.leader(), all: cluster };
}

async function termOf(client: EtcdClient): Promise<bigint | undefined> {
  return (await client.status({}, patient)).header?.raft_term;
}

/**
 * Small requests at all members while `work` runs: serializable reads everywhere, and puts at the
 * leader, which may have to wait but not fail. Returns how many reads were answered meanwhile.
 */
async function beside(all: Cluster, leader: ClusterMember, work: () => Promise<unknown>) {
  let isOver = false;
  let reads = 0;
  const read = async (client: EtcdClient): Promise<void> => {
    while (!isOver) {
      await client.range({ key: bytes("probe"), serializable: true }, { timeoutMs: 20_000 });
      if (!isOver) reads++;
    }
  };
  const put = async (): Promise<void> => {
    while (!isOver) await leader.client.put({ key: bytes("probe") }, patient);
  };
  const probes = [...all.members.map(({ client }) => read(client)), put()];
  const ends = Promise.allSettled(probes);
  await work().finally(() => {
    isOver = true;
    return ends;
  });
  await Promise.all(probes);
  return reads;
}

/** All members have the same keys: each is asked until it has applied as much as the leader. */
async function expectEqual(all: Cluster, leader: ClusterMember): Promise<void> {
  const { header } = await leader.client.range({ key: bytes("probe") }, patient);
  const revision = header?.revision ?? 0n;
  const hashes = new Set<number>();
  for (const { client } of all.members) {
    await client.range({ key: bytes("probe") }, patient);
    hashes.add((await client.hashKv({ revision }, patient)).hash);
  }
  expect(hashes.size).toBe(1);
}

async function count(client: EtcdClient): Promise<number> {
  return Number((await client.range({ ...everything, count_only: true }, patient)).count);
}

test(
  "a deletion of very many keys deposes nobody, and watchers get it whole",
  async () => {
    const { leader, all } = await start();
    const keys = 150_000 * scale;
    await putMany(leader.client, keys);
    const watched = watchDeletes(leader.client, keys);
    await watched.isCreated;
    const term = await termOf(leader.client);
    const reads = await beside(all, leader, async () => {
      expect((await leader.client.deleteRange(everything, patient)).deleted).toBe(BigInt(keys));
    });
    expect(reads).toBeGreaterThan(20);
    expect(await watched.revisions).toEqual(new Set([`${keys}`]));
    expect(await termOf(leader.client)).toBe(term);
    expect(await count(leader.client)).toBe(0);
    await expectEqual(all, leader);
    for (const { process } of all.members) expect(peakMiB(process.pid)).toBeLessThan(1_200 * scale);
  },
  limitMs,
);

test(
  "a lease with very many keys ends without a change of term",
  async () => {
    const { leader, all } = await start();
    const { ID: lease } = await leader.client.leaseGrant({ TTL: 3600n });
    await putMany(leader.client, 100_000 * scale, { lease });
    const term = await termOf(leader.client);
    const reads = await beside(all, leader, () =>
      leader.client.leaseRevoke({ ID: lease }, patient),
    );
    expect(reads).toBeGreaterThan(20);
    expect(await termOf(leader.client)).toBe(term);
    expect(await count(leader.client)).toBe(0);
    await expectEqual(all, leader);
  },
  limitMs,
);

test(
  "transactions whose answer would be enormous are refused, and one that writes says that it was applied",
  async () => {
    const { leader, all } = await start();
    await putMany(leader.client, 20_000, { valueBytes: 900 });
    const range = complete(rpc.RangeRequest, everything);
    const ask = complete(rpc.RequestOp, { request: { $case: "request_range", value: range } });
    const ranges = Array.from({ length: 120 }, () => ask);
    const term = await termOf(leader.client);
    const before = peakMiB(leader.process.pid);
    await beside(all, leader, async () => {
      const refusal = await leader.client.txn({ success: ranges }, patient).catch((e: Error) => e);
      expect((refusal as Error).message).toMatch(/^8 RESOURCE_EXHAUSTED: lockstep: .* in pages/);
      const put = complete(rpc.PutRequest, { key: bytes("written") });
      const write = complete(rpc.RequestOp, { request: { $case: "request_put", value: put } });
      const applied = await leader.client
        .txn({ success: [...ranges, write] }, patient)
        .catch((e: Error) => e);
      expect((applied as Error).message).toMatch(/^8 RESOURCE_EXHAUSTED: .* was applied/);
    });
    expect((await leader.client.range({ key: bytes("written") })).count).toBe(1n);
    expect(await termOf(leader.client)).toBe(term);
    expect(peakMiB(leader.process.pid) - before).toBeLessThan(1_400);
    await expectEqual(all, leader);
  },
  limitMs,
);

test(
  "a member that is killed in the middle has all of the entry or nothing",
  async () => {
    const rng = new SeededRng(runSeed());
    cluster = await Cluster.start({ kind: "lockstep", size: 1, flags: manyKeysFlags });
    const member = cluster.first;
    const keys = 40_000;
    for (let round = 0; round < 4 * scale; round++) {
      await putMany(member.client, keys);
      const gone = member.client.deleteRange(everything, patient).then(
        () => true,
        () => false,
      );
      const killed = new Promise((resolve) => setTimeout(resolve, rng.int(1_200)));
      await killed;
      await member.kill();
      const isAcknowledged = await gone;
      await member.start();
      await member.client.reconnected(30_000);
      const left = await count(member.client);
      expect([0, keys]).toContain(left);
      if (isAcknowledged) expect(left).toBe(0);
      const { kvs } = await member.client.range({ key: manyKey(0), ...patient });
      expect(kvs.length).toBe(left === 0 ? 0 : 1);
      const { hash } = await member.client.hashKv({}, patient);
      await member.restart();
      await member.client.reconnected(30_000);
      expect((await member.client.hashKv({}, patient)).hash).toBe(hash);
    }
  },
  limitMs,
);

/** Resolves to "how many events" of each message that came, once `keys` events have. */
function watchDeletes(client: EtcdClient, keys: number) {
  const stream = client.watchStream();
  const sizes = new Set<string>();
  let seen = 0;
  let created: () => void = () => undefined;
  const isCreated = new Promise<void>((resolve) => {
    created = resolve;
  });
  const revisions = new Promise<Set<string>>((resolve, reject) => {
    stream.on("error", reject);
    stream.on("data", (response: rpc.WatchResponse) => {
      if (response.created) created();
      if (response.events.length === 0) return;
      seen += response.events.length;
      sizes.add(`${response.events.length}`);
      if (seen < keys) return;
      stream.removeAllListeners("error").on("error", () => undefined);
      stream.cancel();
      resolve(sizes);
    });
  });
  const create = complete(rpc.WatchCreateRequest, everything);
  stream.write(
    complete(rpc.WatchRequest, { request_union: { $case: "create_request", value: create } }),
  );
  return { isCreated, revisions };
}
