/**
 * Questions about leases that a follower has passed to a leader which then stands still: the next
 * leader answers them, within the time of the request. LOCKSTEP_TEST_SUBJECT=etcd35 runs this against etcd.
 */
import { afterEach, expect, test } from "vitest";
import { Cluster } from "../support/cluster.js";
import { subject } from "../support/server-kind.js";

const limitMs = 60_000;
/** Before the end of the request's time, which is 7 s. */
const answerMs = 6_500;

let cluster: Cluster | undefined;
afterEach(async () => {
  await cluster?.dispose();
  cluster = undefined;
});

test(
  "a renewal and a time to live through a follower outlive the leader",
  async () => {
    cluster = await Cluster.start({ kind: subject, size: 3 });
    const leader = await cluster.leader();
    const follower = cluster.members.find((member) => member !== leader);
    if (follower === undefined) throw new Error("there is no follower");
    const { client } = follower;
    await client.leaseGrant({ ID: 7n, TTL: 600n });
    const stream = client.keepAliveStream();
    const renewed = new Promise<bigint>((resolve, reject) => {
      stream.on("data", ({ TTL }) => resolve(TTL));
      stream.on("error", reject);
    });
    renewed.catch(() => {});
    await client.leaseTimeToLive({ ID: 7n });
    // Its kernel still takes what is sent to it, so the questions wait for it.
    leader.process.pause();
    stream.write({ ID: 7n });
    const ttl = client.leaseTimeToLive({ ID: 7n }, { timeoutMs: answerMs });
    ttl.catch(() => {});
    expect((await ttl).grantedTTL).toBe(600n);
    expect(await renewed).toBe(600n);
    stream.cancel();
  },
  limitMs,
);
