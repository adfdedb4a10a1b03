/**
 * A store that is over its space quota, on real etcd and on Lockstep: what grows it is refused and
 * raises the alarm, what does not is served. The alarm means the same at every member.
 */
import { describe, expect, test } from "vitest";
import { AlarmRequest_AlarmAction, AlarmType } from "../../src/wire/gen/rpc.js";
import { bytes, type EtcdClient } from "../support/client.js";
import { Cluster, type ClusterMember } from "../support/cluster.js";
import { isMissing } from "../support/server-kind.js";

const noSpace = { code: 8, details: "etcdserver: mvcc: database space exceeded" };
const growing: Readonly<Record<string, (client: EtcdClient) => Promise<unknown>>> = {
  put: (client) => client.put({ key: bytes("a"), value: bytes("b") }),
  "lease grant": (client) => client.leaseGrant({ TTL: 100n }),
};

describe.each(["etcd35", "lockstep"] as const)("over the quota, %s", (kind) => {
  test.skipIf(isMissing(kind)).each(Object.entries(growing))(
    "%s is refused",
    async (_name, grow) => {
      const cluster = await Cluster.start({ kind, flags: ["--quota-backend-bytes=1"] });
      try {
        const { client } = await cluster.leader();
        await expect(grow(client)).rejects.toMatchObject(noSpace);
        await expect
          .poll(async () => (await client.alarm({})).alarms)
          .toMatchObject([{ alarm: AlarmType.NOSPACE }]);
        await expect(grow(client)).rejects.toMatchObject(noSpace);
        await client.deleteRange({ key: bytes("a") });
        await expect(client.leaseRevoke({ ID: 5n })).rejects.toMatchObject({ code: 5 });
      } finally {
        await cluster.dispose();
      }
    },
  );
});

const { ACTIVATE, DEACTIVATE } = AlarmRequest_AlarmAction;

/** Without the automatic end, an alarm stays although there is space. */
const operatorEnds: Readonly<Record<"etcd35" | "lockstep", readonly string[]>> = {
  etcd35: [],
  lockstep: ["--nospace-end=manual"],
};

test.skipIf(isMissing("etcd35")).each(["etcd35", "lockstep"] as const)(
  "an acknowledged alarm, and its acknowledged end, hold at every member at once, %s",
  async (kind) => {
    const cluster = await Cluster.start({ kind, size: 3, flags: operatorEnds[kind] });
    try {
      await cluster.leader();
      for (let round = 0; round < 10; round++) {
        const [a, b] = [0, 1].map((step) => cluster.members[(round + step) % 3]?.client);
        const alarm = { memberID: 1n, alarm: AlarmType.NOSPACE };
        await a?.alarm({ action: ACTIVATE, ...alarm });
        await expect(growing.put?.(b as EtcdClient)).rejects.toMatchObject(noSpace);
        await a?.alarm({ action: DEACTIVATE, ...alarm });
        await growing.put?.(b as EtcdClient);
      }
    } finally {
      await cluster.dispose();
    }
  },
);

test("a follower that is over its quota raises the alarm, which ends when it has space again", async () => {
  const cluster = await Cluster.start({ kind: "lockstep", size: 3 });
  try {
    const leader = await cluster.leader();
    const full = cluster.members.find((member) => member !== leader) as ClusterMember;
    const memberID = (await full.client.status({})).header?.member_id;
    await full.stop();
    await full.start(["--quota-backend-bytes=1"]);
    const put = () => leader.client.put({ key: bytes("a"), value: bytes("b") });
    await expect
      .poll(() => put().catch((error: Error) => error), { timeout: 10_000 })
      .toMatchObject(noSpace);
    const { alarms } = await leader.client.alarm({});
    expect(alarms).toMatchObject([{ memberID, alarm: AlarmType.NOSPACE }]);
    await full.stop();
    await full.start();
    await expect.poll(() => put().then(() => "taken", String), { timeout: 20_000 }).toBe("taken");
    expect((await leader.client.alarm({})).alarms).toEqual([]);
  } finally {
    await cluster.dispose();
  }
});
