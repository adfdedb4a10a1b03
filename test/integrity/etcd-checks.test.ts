/** etcd's own checks on real members: what they say of a sound cluster, and the page of the peer address. */
import { afterEach, describe, expect, test } from "vitest";
import * as rpc from "../../src/wire/gen/rpc.js";
import { eventually } from "../robustness/incident.js";
import { bytes } from "../support/client.js";
import { Cluster, type ClusterMember } from "../support/cluster.js";
import { isMissing, type ServerKind } from "../support/server-kind.js";

const clusters: Cluster[] = [];
afterEach(async () => {
  for (const cluster of clusters.splice(0)) await cluster.dispose();
});

const flags = [
  "--experimental-initial-corrupt-check=true",
  "--experimental-corrupt-check-time=300ms",
  "--experimental-compact-hash-check-enabled=true",
  "--experimental-compact-hash-check-time=300ms",
];

async function start(kind: ServerKind, size: number): Promise<Cluster> {
  const cluster = await Cluster.start({ kind, size, flags });
  clusters.push(cluster);
  return cluster;
}

async function write(member: ClusterMember): Promise<bigint> {
  let revision = 0n;
  for (let i = 0; i < 12; i++) {
    const put = await member.client.put({ key: bytes(`k${i % 3}`), value: bytes(`${i}`) });
    revision = put.header?.revision ?? 0n;
  }
  await member.client.deleteRange({ key: bytes("k1") });
  return revision;
}

async function page(
  member: ClusterMember,
  request: { readonly revision?: number; readonly headers?: Record<string, string> } = {},
): Promise<string> {
  const { revision, headers = {} } = request;
  // fetch sends no body with GET.
  const { request: ask } = await import("node:http");
  const body = revision === undefined ? "" : JSON.stringify({ revision });
  return new Promise((resolve, reject) => {
    const sent = ask(`${member.peerUrl}/members/hashkv`, {
      method: "GET",
      headers: { ...headers, "Content-Length": body.length },
    });
    sent.on("error", reject);
    sent.on("response", (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => {
        text += chunk.toString();
      });
      response.on("end", () => resolve(`${response.statusCode} ${text.trim()}`));
    });
    sent.end(body);
  });
}

describe.skipIf(isMissing("etcd35", "lockstep"))("/members/hashkv on the peer address", () => {
  test("answers what etcd answers", async () => {
    const [ours, theirs] = await Promise.all([start("lockstep", 1), start("etcd35", 1)]);
    const revision = Number(await write(ours.first));
    expect(Number(await write(theirs.first))).toBe(revision);
    const both = async (request: Parameters<typeof page>[1]): Promise<void> => {
      const expected = await page(theirs.first, request);
      // 3.6 tells the hash's revision, too.
      expect((await page(ours.first, request)).replace(/,"hash_revision":\d+/, "")).toBe(expected);
    };
    await both({ revision: 0 });
    await both({ revision: revision - 4 });
    await both({ revision: revision + 100 });
    await both({});
    await both({ revision: 0, headers: { "X-Etcd-Cluster-ID": "123" } });
    for (const { first } of [ours, theirs]) {
      await first.client.compact({ revision: BigInt(revision - 3), physical: true });
    }
    await both({ revision: revision - 4 });
    await both({ revision: revision - 3 });
    await both({ revision: 0 });
  });
});

describe.skipIf(isMissing("lockstep"))("the checks on a sound cluster", () => {
  test("compare all members, raise nothing, let a member start; an alarm stops all until it is disarmed", async () => {
    const cluster = await start("lockstep", 3);
    const leader = await cluster.leader();
    const revision = await write(leader);
    await leader.client.compact({ revision: revision - 3n, physical: true });
    const says = (what: string) => (): boolean => leader.process?.log().includes(what) ?? false;
    await eventually("periodic", says('check","number-of-peers-checked":2'));
    await eventually("compaction", says('"finished compaction hash check","compact-revision"'));
    const follower = cluster.members.find((member) => member !== leader) as ClusterMember;
    await follower.stop();
    await follower.start();
    await follower.client.reconnected();
    const passed = 'passed; no corruption","number-of-peers-checked":2';
    await eventually("initial", () => follower.process?.log().includes(passed) ?? false);
    const alarm = { memberID: 0n, alarm: rpc.AlarmType.CORRUPT };
    expect((await leader.client.alarm({ action: 0 })).alarms).toEqual([]);
    await leader.client.alarm({ ...alarm, action: 1 });
    const put = { key: bytes("a"), value: bytes("b") };
    await expect(follower.client.put(put)).rejects.toMatchObject({ code: 15 });
    await leader.client.alarm({ ...alarm, action: 2 });
    // The follower may apply the disarm a moment later.
    await eventually("put", async () => (await follower.client.put(put)).header !== undefined);
  });
});
