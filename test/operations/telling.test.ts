/**
 * What members report by log lines and metrics: lost and returning peers, a missing quorum, members
 * that come and go. A join causes no warning.
 */
import { afterEach, expect, test } from "vitest";
import { Cluster, type ClusterMember } from "../support/cluster.js";

const limitMs = 60_000;
const withinMs = { timeout: 20_000 };

let cluster: Cluster | undefined;
afterEach(async () => {
  await cluster?.dispose();
  cluster = undefined;
});

interface Line {
  readonly level: string;
  readonly msg: string;
}

function lines(member: ClusterMember): Line[] {
  return member.process
    .log()
    .split("\n")
    .filter((text) => text.startsWith("{"))
    .map((text) => JSON.parse(text) as Line);
}

function messages(member: ClusterMember): string[] {
  return lines(member).map(({ level, msg }) => `${level} ${msg}`);
}

async function metric(member: ClusterMember, name: string): Promise<number> {
  const text = await (await fetch(`http://${member.endpoint}/metrics`)).text();
  const values = text
    .split("\n")
    .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
  return values.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}

test(
  "a lost quorum and its return",
  async () => {
    cluster = await Cluster.start({ kind: "lockstep", size: 3 });
    const [alone, ...others] = cluster.members as [ClusterMember, ...ClusterMember[]];
    await alone.client.put({ key: Buffer.from("a") });
    const peers = "etcd_network_active_peers";
    await expect.poll(() => metric(alone, peers), withinMs).toBe(2);
    expect(await metric(alone, "lockstep_quorum_reached")).toBe(1);
    await Promise.all(others.map((member) => member.kill()));
    const lost = /^warn no leader: no quorum of voters is reached/;
    await expect.poll(() => messages(alone).some((text) => lost.test(text)), withinMs).toBe(true);
    expect(messages(alone)).toContain("warn lost the connection to a peer");
    expect(await metric(alone, peers)).toBe(0);
    expect(await metric(alone, "etcd_network_disconnected_peers_total")).toBeGreaterThanOrEqual(2);
    expect(await metric(alone, "lockstep_quorum_reached")).toBe(0);
    expect(await metric(alone, "lockstep_leader_missing_total")).toBe(1);
    await Promise.all(others.map((member) => member.start()));
    await expect.poll(() => messages(alone), withinMs).toContain("info there is a leader again");
    await expect.poll(() => metric(alone, peers), withinMs).toBe(2);
    expect(await metric(alone, "etcd_disk_wal_fsync_duration_seconds_count")).toBeGreaterThan(0);
    expect(await metric(alone, "lockstep_apply_duration_seconds_count")).toBeGreaterThan(0);
  },
  limitMs,
);

test(
  "members that come and go; a join warns of nothing",
  async () => {
    cluster = await Cluster.start({ kind: "lockstep", size: 1 });
    const { first } = cluster;
    const joiner = await cluster.plan();
    const added = await first.client.memberAdd({ peerURLs: [joiner.peerUrl] });
    joiner.plan.initialState = "existing";
    joiner.plan.initialCluster = `${first.name}=${first.peerUrl},${joiner.name}=${joiner.peerUrl}`;
    await joiner.start();
    const warned = (member: ClusterMember): Line[] =>
      lines(member).filter(({ level }) => level !== "info" && level !== "debug");
    const whenJoined = [warned(first), warned(joiner)].flat().map(({ msg }) => msg);
    expect(whenJoined.filter((msg) => /cluster|refused|peer/.test(msg))).toEqual([]);
    expect(await metric(first, "lockstep_members")).toBe(2);
    await expect
      .poll(
        () => first.client.memberRemove({ ID: added.member?.ID ?? 0n }).then(() => "", String),
        withinMs,
      )
      .toBe("");
    await expect
      .poll(() => messages(first), withinMs)
      .toEqual(expect.arrayContaining(["info added member", "info removed member"]));
    expect(await metric(first, "lockstep_members")).toBe(1);
    expect(await metric(first, 'lockstep_member_changes_total{change="removed"}')).toBe(1);
  },
  limitMs,
);
