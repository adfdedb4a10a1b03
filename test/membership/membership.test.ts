/**
 * A cluster that grows from one member to five and shrinks back while 60 writers put, members die
 * in between, and one is replaced: no acknowledged write may be lost, and all members stay equal.
 */
import { afterEach, describe, expect, test } from "vitest";
import { Load } from "../crash/load.js";
import { compareHashes, serves } from "../crash/rounds.js";
import { Cluster, type ClusterMember } from "../support/cluster.js";
import { runSeed, SeededRng } from "../support/seeded-rng.js";
import { isMissing, subject } from "../support/server-kind.js";

const WRITERS = 60;
const STEP_LIMIT_MS = 40_000;

let cluster: Cluster | undefined;
afterEach(() => cluster?.dispose());

/** Repeats what may be refused for a while: no leader, not in sync, cluster not healthy yet. */
async function untilDone<T>(what: string, act: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + STEP_LIMIT_MS;
  for (;;) {
    try {
      return await act();
    } catch (cause) {
      if (Date.now() > deadline) throw new Error(`${what}: ${String(cause)}`, { cause });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

async function idOf(member: ClusterMember): Promise<bigint> {
  return untilDone(`id of ${member.name}`, async () => {
    const { header } = await member.client.status({});
    return header?.member_id ?? 0n;
  });
}

async function names(on: ClusterMember): Promise<string[]> {
  const { members } = await on.client.memberList({ linearizable: true });
  return members.map(({ name }) => name).sort();
}

/** Adds a learner, starts it, and promotes it once it caught up. */
async function grow(of: Cluster): Promise<ClusterMember> {
  const others = of.members.map((member) => `${member.name}=${member.peerUrl}`);
  const added = await of.plan();
  added.plan.initialState = "existing";
  added.plan.initialCluster = [...others, `${added.name}=${added.peerUrl}`].join(",");
  await untilDone(`add ${added.name}`, async () => {
    const { client } = await of.leader();
    const { members } = await client.memberList({ linearizable: true });
    // An earlier try may have been applied though its answer was lost.
    if (members.some(({ peerURLs }) => peerURLs.includes(added.peerUrl))) return;
    await client.memberAdd({ peerURLs: [added.peerUrl], isLearner: true });
  });
  await added.start();
  const ID = await idOf(added);
  await untilDone(`promote ${added.name}`, async () => {
    const { client } = await of.leader();
    const { members } = await client.memberList({ linearizable: true });
    const self = members.find((member) => member.ID === ID);
    expect(self).toBeDefined();
    if (self?.isLearner === true) await client.memberPromote({ ID });
  });
  await serves(added);
  return added;
}

async function shrink(of: Cluster, member: ClusterMember): Promise<void> {
  const ID = await idOf(member);
  await untilDone(`remove ${member.name}`, async () => {
    const asked = of.members.find((other) => other !== member && other.isRunning);
    const { members } = (await asked?.client.memberList({ linearizable: true })) ?? { members: [] };
    if (!members.some((other) => other.ID === ID)) return;
    await asked?.client.memberRemove({ ID });
  });
  await of.forget(member);
}

async function killAndReturn(victims: readonly ClusterMember[]): Promise<void> {
  await Promise.all(victims.map((member) => member.kill()));
  await Promise.all(victims.map((member) => member.start()));
  await Promise.all(victims.map(serves));
}

async function story(of: Cluster, load: Load, rng: SeededRng): Promise<void> {
  const settle = async (expected: number): Promise<void> => {
    await Promise.all(of.members.map(serves));
    await load.pause();
    const revision = await load.verify(rng.pick(of.members));
    await compareHashes(of, revision);
    for (const member of of.members) {
      expect(await names(member)).toEqual(of.members.map(({ name }) => name).sort());
    }
    expect(of.members).toHaveLength(expected);
    load.start();
  };

  load.start();
  await grow(of);
  await killAndReturn([rng.pick(of.members)]);
  await grow(of);
  await settle(3);

  await killAndReturn([await of.leader()]);
  await grow(of);
  await grow(of);
  await killAndReturn(of.members.slice(rng.int(4)).slice(0, 2));
  await settle(5);

  // Replace a member that died for good.
  const dead = rng.pick(of.members);
  const deadId = await idOf(dead);
  await dead.kill();
  await untilDone("remove the dead member", async () => {
    const { client } = await of.leader();
    const { members } = await client.memberList({ linearizable: true });
    if (members.some(({ ID }) => ID === deadId)) await client.memberRemove({ ID: deadId });
  });
  await of.forget(dead);
  await grow(of);
  await settle(5);

  await shrink(of, await of.leader());
  await killAndReturn([rng.pick(of.members)]);
  await shrink(of, rng.pick(of.members));
  await settle(3);
  await shrink(of, rng.pick(of.members));
  await shrink(of, await of.leader());
  await settle(1);
  await load.pause();
}

describe.skipIf(isMissing(subject))("membership under load", () => {
  test("1 to 3 to 5 members and back, with deaths between", async () => {
    const seed = runSeed();
    console.log(`membership: LOCKSTEP_SEED=${seed}`);
    const rng = new SeededRng(seed);
    const of = await Cluster.start({ kind: subject });
    cluster = of;
    const load = new Load(of, { writers: WRITERS, rng });
    try {
      await story(of, load, rng);
    } finally {
      await load.pause();
    }
    expect(load.acknowledged).toBeGreaterThan(500);
  }, 240_000);
});
