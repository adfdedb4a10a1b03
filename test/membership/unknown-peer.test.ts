/**
 * A member that was away while another one was added hears from somebody that it does not know. Its quorum may hang on that one: it asks the members that it knows, and
 * those that it was started with.
 */
import { afterEach, expect, test } from "vitest";
import { serves } from "../crash/rounds.js";
import { bytes } from "../support/client.js";
import { Cluster, type ClusterMember } from "../support/cluster.js";

const testMs = 120_000;
let cluster: Cluster | undefined;
afterEach(() => cluster?.dispose());

async function untilDone<T>(act: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + 40_000;
  for (;;) {
    try {
      return await act();
    } catch (cause) {
      if (Date.now() > deadline) throw cause;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

async function idOf(member: ClusterMember): Promise<bigint> {
  const { header } = await member.client.status({});
  return header?.member_id ?? 0n;
}

/** Adds a member as a learner, then promotes it. */
async function grow(of: Cluster): Promise<ClusterMember> {
  const others = of.members.map((member) => `${member.name}=${member.peerUrl}`);
  const added = await of.plan();
  added.plan.initialState = "existing";
  added.plan.initialCluster = [...others, `${added.name}=${added.peerUrl}`].join(",");
  await untilDone(() => of.first.client.memberAdd({ peerURLs: [added.peerUrl], isLearner: true }));
  await added.start();
  const ID = await idOf(added);
  await untilDone(async () => (await of.leader()).client.memberPromote({ ID }));
  return added;
}

/** m3 is away while m4 is added and made leader. */
async function withLaggard() {
  const of = await Cluster.start({
    kind: "lockstep",
    size: 3,
    flags: ["--strict-reconfig-check=false"],
  });
  cluster = of;
  const [m1, m2, m3] = of.members as [ClusterMember, ClusterMember, ClusterMember];
  await m3.stop();
  const m4 = await grow(of);
  const targetID = await idOf(m4);
  await untilDone(async () => (await of.leader()).client.moveLeader({ targetID }));
  await m1.client.put({ key: bytes("k"), value: bytes("v") });
  return { m1, m2, m3, m4 };
}

test(
  "a leader that it does not know is confirmed by a member that it knows",
  async () => {
    const { m1, m3, m4 } = await withLaggard();
    await m1.kill();
    await m3.start();
    await serves(m3);
    await m4.client.put({ key: bytes("k"), value: bytes("w") });
    const { kvs } = await m3.client.range({ key: bytes("k") });
    expect(String(kvs[0]?.value)).toBe("w");
  },
  testMs,
);

test(
  "when all that it knows are gone, it asks those that it is started with",
  async () => {
    const { m1, m2, m3, m4 } = await withLaggard();
    const ID = await idOf(m1);
    await untilDone(() => m4.client.memberRemove({ ID }));
    await m1.kill();
    await m2.kill();
    const refused = m3.spawn().waitForLine(/that no member of the cluster knows/, 30_000);
    await refused;
    await m3.stop();
    m3.plan.initialCluster += `,${m4.name}=${m4.peerUrl}`;
    await m3.start();
    await serves(m3);
    await m4.client.put({ key: bytes("k"), value: bytes("w") });
  },
  testMs,
);
