/**
 * A member whose data directory is gone has forgotten its votes and what it acknowledged. Started again
 * under its old id it must not help anybody to a quorum, whatever the others know of it: here the
 * leader is down, and the third member lags, so that only the wiped one could tell what it had.
 */
import { rmSync } from "node:fs";
import { afterEach, describe, expect, test } from "vitest";
import { refusedStart } from "../bad-input/refusal.js";
import { bytes } from "../support/client.js";
import { Cluster, type ClusterMember } from "../support/cluster.js";
import { isMissing } from "../support/server-kind.js";

const count = 20;
const key = (place: number): Buffer => bytes(`acknowledged/${place}`);

let cluster: Cluster | undefined;
afterEach(() => cluster?.dispose());

async function eventually<T>(what: string, look: () => Promise<T>, withinMs = 40_000): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    try {
      return await look();
    } catch (cause) {
      if (Date.now() > deadline) throw new Error(`${what}: ${String(cause)}`, { cause });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

interface Broken {
  readonly leader: ClusterMember;
  readonly wiped: ClusterMember;
  readonly laggard: ClusterMember;
}

/** 20 writes acknowledged by two of three; then the leader is killed, and one disk is gone. */
async function breakCluster(of: Cluster): Promise<Broken> {
  const leader = await of.leader();
  const [wiped, laggard] = of.members.filter((member) => member !== leader) as [
    ClusterMember,
    ClusterMember,
  ];
  laggard.process.pause();
  for (let place = 0; place < count; place++) {
    await leader.client.put({ key: key(place), value: bytes(`value ${place}`) });
  }
  await leader.kill();
  await wiped.kill();
  rmSync(wiped.dataDir, { recursive: true, force: true });
  return { leader, wiped, laggard };
}

async function readAll(from: ClusterMember): Promise<void> {
  const { count: found } = await from.client.range({
    key: bytes("acknowledged/"),
    range_end: bytes("acknowledged0"),
    count_only: true,
  });
  expect(Number(found)).toBe(count);
}

describe.skipIf(isMissing("lockstep"))("a member whose data directory was wiped", () => {
  for (const state of ["existing", "new"] as const) {
    test(`does not vote under its old id (--initial-cluster-state ${state})`, async () => {
      cluster = await Cluster.start({ kind: "lockstep", size: 3 });
      const { leader, wiped, laggard } = await breakCluster(cluster);
      wiped.plan.initialState = state;
      const process = wiped.spawn();
      // Nobody is there yet to tell it who it was.
      if (state === "new") await process.waitForLine(/starting a member/, 30_000);
      laggard.process.resume();
      const outcome = await Promise.race([
        process.exited,
        process.waitForLine(/ready to serve client requests/, 30_000).then(
          () => "it serves",
          () => process.exited,
        ),
      ]);
      expect(outcome).toEqual({ code: 1, signal: null });
      expect(process.log()).toMatch(/lost its data.*member remove.*member add/);
      // Two without the leader are no quorum.
      await expect(laggard.client.range({ key: key(0) }, { timeoutMs: 3_000 })).rejects.toThrow();
      await leader.start();
      await eventually("all writes are there", () => readAll(laggard));
    });
  }

  test("a second member has a vote at once, and a new id on its old address is another member", async () => {
    cluster = await Cluster.start({ kind: "lockstep" });
    const { first } = cluster;
    const second = await cluster.plan();
    const join = async (): Promise<bigint> => {
      const { member } = await eventually("add", () =>
        first.client.memberAdd({ peerURLs: [second.peerUrl] }),
      );
      return member?.ID ?? 0n;
    };
    await first.client.put({ key: key(0), value: bytes("alone") });
    const id = await join();
    second.plan.initialState = "existing";
    second.plan.initialCluster = [first, second].map((m) => `${m.name}=${m.peerUrl}`).join(",");
    // Before the second one has ever run, the first one needs its vote.
    await first.kill();
    await first.spawn().waitForLine(/starting a member/, 30_000);
    await second.start();
    await first.client.put({ key: key(1), value: bytes("two of two") });
    await first.restart();
    await first.client.put({ key: key(2), value: bytes("elected by two") });

    // A third one, so that the second can be removed after it lost its data.
    const third = await cluster.plan();
    third.plan.initialState = "existing";
    third.plan.initialCluster = cluster.members.map((m) => `${m.name}=${m.peerUrl}`).join(",");
    await eventually("add", () => first.client.memberAdd({ peerURLs: [third.peerUrl] }));
    await third.start();
    await second.kill();
    rmSync(second.dataDir, { recursive: true });
    expect((await refusedStart(second)).log).toMatch(/lost its data/);
    await eventually("remove", () => first.client.memberRemove({ ID: id }));
    rmSync(second.dataDir, { recursive: true, force: true });
    second.plan.initialCluster = third.plan.initialCluster;
    expect(await join()).not.toBe(id);
    await second.start();
    await eventually("the new one follows", async () => {
      const { kvs } = await second.client.range({ key: key(2) });
      expect(kvs[0]?.value.toString()).toBe("elected by two");
    });
  });
});
