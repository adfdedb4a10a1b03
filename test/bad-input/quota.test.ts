/**
 * A store that is over its space quota, on real etcd and on Lockstep: what grows it is refused and
 * raises the alarm, what does not is served. Each case begins with a fresh member.
 */
import { describe, expect, test } from "vitest";
import { AlarmType } from "../../src/wire/gen/rpc.js";
import { bytes, type EtcdClient } from "../support/client.js";
import { Cluster } from "../support/cluster.js";
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
