/**
 * What happens to a member in the fuzz test, one thing at a time: it is stopped or killed and started
 * again, it falls behind until only a whole state can help it, or a byte of its state rots.
 */

import { bytes } from "../support/client.js";
import type { Cluster, ClusterMember } from "../support/cluster.js";
import type { SeededRng } from "../support/seeded-rng.js";
import { backendFile, flipByte, loseRow } from "./damage.js";
import { fuzzCalls } from "./fuzz-calls.js";
import { eventually, health, noteOf } from "./incident.js";
import type { Overlaps } from "./overlaps.js";
import type { Seed } from "./seed.js";

/** More entries than a follower is given from the log. */
const lagEntries = 700;
const patienceMs = 120_000;

export interface FaultWorld {
  /** Something was found: nothing is waited for any more. */
  isOver(): boolean;
  readonly cluster: Cluster;
  readonly seed: Seed;
  readonly overlaps: Overlaps;
  /** The member may be down, refuse, or answer that it is damaged, until `over`. */
  troubled(member: ClusterMember, kind: "down" | "damaged"): { over(): void };
  start(member: ClusterMember): Promise<void>;
  /** It ends because it was told to. */
  end(member: ClusterMember, how: "stop" | "kill"): Promise<void>;
}

type Fault = (world: FaultWorld, member: ClusterMember, rng: SeededRng) => Promise<void>;

/** As the table of overlaps names them. */
export const faultNames = ["restart", "kill", "pause", "install", "heal"] as const;
export type FaultName = (typeof faultNames)[number];

const faults: Readonly<Record<FaultName, readonly Fault[]>> = {
  restart: [restart],
  kill: [kill],
  pause: [pause],
  install: [lag],
  heal: [rotStopped, rotRunning],
};

export async function runFault(
  world: FaultWorld,
  names: readonly FaultName[],
  rng: SeededRng,
): Promise<void> {
  const { overlaps } = world;
  const calls = fuzzCalls.map(({ name }) => name);
  const lacking = names.map((name) => overlaps.lacking(name, calls));
  const most = Math.max(...lacking);
  // The kind that has met the fewest calls, two times of three.
  const name = rng.chance(66) ? rng.pick(names.filter((_, at) => lacking[at] === most)) : undefined;
  const fault = rng.pick(faults[name ?? rng.pick(names)]);
  const member = rng.pick(world.cluster.members);
  await fault(world, member, rng);
}

function patiently(world: FaultWorld, what: string, isSo: () => Promise<boolean>): Promise<void> {
  return eventually(what, async () => world.isOver() || (await isSo()), patienceMs);
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function during(
  world: FaultWorld,
  name: FaultName,
  work: () => Promise<void>,
): Promise<void> {
  const end = world.overlaps.begin(name);
  try {
    await work();
  } finally {
    end();
  }
}

async function down(
  world: FaultWorld,
  member: ClusterMember,
  how: "stop" | "kill",
  meanwhile: () => Promise<void>,
): Promise<void> {
  await world.end(member, how);
  await meanwhile();
  await world.start(member);
}

function restart(world: FaultWorld, member: ClusterMember, rng: SeededRng): Promise<void> {
  return during(world, "restart", () => downAndUp(world, member, "stop", rng.int(1_500)));
}

function kill(world: FaultWorld, member: ClusterMember, rng: SeededRng): Promise<void> {
  return during(world, "kill", () => downAndUp(world, member, "kill", rng.int(1_500)));
}

async function downAndUp(
  world: FaultWorld,
  member: ClusterMember,
  how: "stop" | "kill",
  downMs: number,
): Promise<void> {
  const trouble = world.troubled(member, "down");
  await down(world, member, how, () => sleep(downMs));
  await served(world, member);
  trouble.over();
}

async function pause(world: FaultWorld, member: ClusterMember, rng: SeededRng): Promise<void> {
  await during(world, "pause", async () => {
    const trouble = world.troubled(member, "down");
    member.process.pause();
    await sleep(500 + rng.int(2_500));
    member.process.resume();
    await served(world, member);
    trouble.over();
  });
}

/** Counts as an install from its start on until it has what the others had then. */
async function lag(world: FaultWorld, member: ClusterMember, rng: SeededRng): Promise<void> {
  const trouble = world.troubled(member, "down");
  await world.end(member, rng.chance(50) ? "kill" : "stop");
  const other = world.cluster.members.find((one) => one !== member) as ClusterMember;
  await patiently(world, "the others go on without it", async () => {
    const from = await applied(other);
    for (let batch = 0; batch < lagEntries / 50; batch++) {
      const key = bytes(`b/${batch}`);
      await Promise.all(
        Array.from({ length: 50 }, () => other.client.put({ key, value: bytes("behind") })),
      );
    }
    return (await applied(other)) >= from + BigInt(lagEntries);
  });
  await during(world, "install", async () => {
    await world.start(member);
    const reached = await applied(other);
    await patiently(
      world,
      `${member.name} has caught up`,
      async () => (await applied(member)) >= reached,
    );
  });
  await served(world, member);
  trouble.over();
}

async function applied(member: ClusterMember): Promise<bigint> {
  return (await member.client.status({}, { timeoutMs: 5_000 })).raftAppliedIndex;
}

/** A byte or a whole row is wrong when the member starts. */
async function rotStopped(world: FaultWorld, member: ClusterMember, rng: SeededRng): Promise<void> {
  const { seed } = world;
  const mark = seed.mark(rng.int(seed.count));
  await during(world, "heal", async () => {
    const trouble = world.troubled(member, "damaged");
    await world.end(member, "stop");
    if (rng.chance(50)) flipByte(backendFile(member.dataDir), mark);
    else await loseRow(member.dataDir, mark);
    await world.start(member);
    await healed(world, member);
    trouble.over();
  });
}

/** A byte changes below a running member; reading it, whoever does, finds it. */
async function rotRunning(world: FaultWorld, member: ClusterMember, rng: SeededRng): Promise<void> {
  const { seed } = world;
  const place = rng.int(seed.count);
  await during(world, "heal", async () => {
    const trouble = world.troubled(member, "damaged");
    let isDone = false;
    try {
      flipByte(backendFile(member.dataDir), seed.mark(place));
      isDone = true;
    } catch {
      // The file was replaced at this moment.
    }
    if (isDone) {
      let right = 0;
      // The file may have been replaced by one without the damage: then reads go on to be right.
      await patiently(world, `${member.name} finds the damage, or has none`, async () => {
        if (noteOf(member) !== undefined) return true;
        const request = { key: seed.key(place), serializable: right % 2 === 0 };
        const { kvs } = await member.client.range(request, { timeoutMs: 20_000 });
        if (kvs[0]?.value.equals(seed.value(place)) === true) right++;
        return right >= 4;
      });
      await healed(world, member);
    }
    trouble.over();
  });
}

async function healed(world: FaultWorld, member: ClusterMember): Promise<void> {
  await patiently(
    world,
    `${member.name} has healed`,
    async () => noteOf(member) === undefined && (await isWhole(world, member)),
  );
  await served(world, member);
}

async function isWhole({ seed }: FaultWorld, member: ClusterMember): Promise<boolean> {
  const range = { key: seed.key(0), range_end: bytes("s0"), count_only: true };
  const { count } = await member.client.range(range, { timeoutMs: 20_000 });
  return count === BigInt(seed.count);
}

export function served(world: FaultWorld, member: ClusterMember): Promise<void> {
  return patiently(
    world,
    `${member.name} is healthy`,
    async () => (await health(member, "/health")).status === 200,
  );
}
