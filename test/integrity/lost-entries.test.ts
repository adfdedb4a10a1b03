/**
 * Disks of a majority lose entries that were acknowledged, which no store can prevent; then the member
 * that still has them comes back. It must answer nothing from its own history, tell people, and keep
 * what it has, while the majority serves on.
 */
import { execFile } from "node:child_process";
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, describe, expect, test } from "vitest";
import { cleanEnv } from "../../src/cli/stage/server-process.js";
import { corruptAlarms, eventually, health, idOf } from "../robustness/incident.js";
import { bytes } from "../support/client.js";
import { Cluster, type ClusterMember } from "../support/cluster.js";
import { isMissing, projectRoot } from "../support/server-kind.js";

const corrupt = /corrupt cluster/;
const clusters: Cluster[] = [];
afterEach(async () => {
  await Promise.all(clusters.splice(0).map((cluster) => cluster.dispose()));
});

interface Split {
  /** The former leader. It is stopped and has all entries. */
  readonly ahead: ClusterMember;
  readonly aheadId: string;
  /** Its applied index. */
  readonly index: number;
  /** Run on older data, and have a leader. */
  readonly others: readonly ClusterMember[];
}

/** 20 keys were acknowledged after the copies of the data directories on which the others now run. */
async function rolledBack(): Promise<Split> {
  const cluster = await Cluster.start({ kind: "lockstep", size: 3 });
  clusters.push(cluster);
  await put(cluster.first, "before", "1");
  await Promise.all(cluster.members.map((member) => member.stop()));
  for (const member of cluster.members) {
    cpSync(member.dataDir, copyOf(member), { recursive: true });
  }
  await Promise.all(cluster.members.map((member) => member.start()));
  const ahead = await cluster.leader();
  for (let at = 0; at < 100; at++) await put(ahead, `lost-${at}`, "x");
  const aheadId = await idOf(ahead);
  const index = await appliedAt(ahead);
  await Promise.all(cluster.members.map((member) => member.stop()));
  const others = cluster.members.filter((member) => member !== ahead);
  for (const member of others) {
    renameSync(member.dataDir, wholeOf(member));
    renameSync(copyOf(member), member.dataDir);
  }
  await Promise.all(others.map((member) => member.start()));
  await raiseTerm(cluster, others);
  for (let at = 0; at < 3; at++) await put(others[0] as ClusterMember, `new-${at}`, "y");
  return { ahead, aheadId, index, others };
}

/**
 * The others may have forgotten terms, too. With a higher one the stopped member could win an
 * election and mix its log with theirs; so their term passes all that it can know.
 */
async function raiseTerm(cluster: Cluster, others: readonly ClusterMember[]): Promise<void> {
  for (let round = 0; round < 4; round++) {
    const leader = await cluster.leader();
    const next = others.find((member) => member !== leader) as ClusterMember;
    const { header } = await next.client.status({});
    await leader.client.moveLeader({ targetID: header?.member_id ?? 0n });
  }
}

const wholeOf = (member: ClusterMember): string => `${member.dataDir}.whole`;
const copyOf = (member: ClusterMember): string => `${member.dataDir}.copy`;

async function put(member: ClusterMember, key: string, value: string): Promise<void> {
  await member.client.put({ key: bytes(key), value: bytes(value) });
}

async function appliedAt(member: ClusterMember): Promise<number> {
  return Number((await member.client.status({})).raftAppliedIndex);
}

/** Starts the member and waits until a leader's word has shown it that its log is another one. */
async function startAhead(ahead: ClusterMember, start = () => ahead.start()): Promise<void> {
  await start();
  await ahead.client.reconnected();
  await eventually("it knows", async () =>
    /^lockstep_diverged 1$/m.test((await health(ahead, "/metrics")).body),
  );
}

async function story(member: ClusterMember): Promise<string> {
  const launcher = join(projectRoot, "bin/lockstep");
  const args = [launcher, "ctl", `--endpoints=${member.endpoint}`, "integrity"];
  const { stdout } = await promisify(execFile)(process.execPath, args, { env: cleanEnv() });
  return stdout;
}

describe.skipIf(isMissing("lockstep"))("a member with entries that the majority lost", () => {
  test("answers nothing, tells people and keeps them; the majority serves under an alarm", async () => {
    const { ahead, aheadId, index, others } = await rolledBack();
    const other = others[0] as ClusterMember;
    await startAhead(ahead);
    const key = bytes("lost-0");
    const { client } = ahead;
    const calls = [
      () => client.range({ key, serializable: true }),
      () => client.range({ key }),
      () => client.put({ key, value: bytes("z") }),
      () => client.txn({ success: [] }),
      () => client.hashKv({}),
      () => client.hash({}),
      () => client.leaseGrant({ TTL: 60n }),
      () => client.compact({ revision: 2n }),
    ];
    for (const call of calls) await expect(call()).rejects.toThrow(corrupt);
    expect((await health(ahead, "/health")).body).toContain("false");
    expect((await health(ahead, "/health?serializable=true")).body).toContain("false");
    expect((await health(ahead, "/readyz")).status).toBe(503);
    expect((await health(ahead, "/livez")).status).toBe(200);

    // The others are not there yet: nothing but the end of the leader's log could tell.
    expect(await appliedAt(other)).toBeLessThan(index);
    for (const member of others) {
      expect((await member.client.range({ key: bytes("new-0") })).count).toBe(1n);
      expect((await member.client.range({ key })).count).toBe(0n);
      expect((await health(member, "/health")).body).toContain("true");
    }
    await eventually("the alarm names it", async () =>
      (await corruptAlarms(other)).includes(aheadId),
    );
    await put(other, "served", "on");

    expect(ahead.process.log()).toMatch(/"level":"error".*this member answers nothing/);
    // The entries are named when their file is on the disk, which is after the alarm.
    const named = /ENTRIES LOST BY THE OTHERS[\s\S]*index \d+ term \d+: put "lost-\d+"/;
    await eventually("the entries are named", async () => named.test(await story(ahead)));
    const stories = await Promise.all(others.map(story));
    for (const text of stories)
      expect(text).toMatch(/Alarm CORRUPT of .*it alone serves no clients/);
    expect(stories.join()).toMatch(/diverged .*the leader's log ended/);
    const [file] = readdirSync(join(ahead.dataDir, "lost-entries"));
    const kept = readFileSync(join(ahead.dataDir, "lost-entries", file as string), "utf8");
    for (let at = 0; at < 20; at++) expect(kept).toContain(`put \\"lost-${at}\\"`);
  }, 120_000);

  test("does not answer after a restart either, and serves once the others have it all again", async () => {
    const { ahead, others } = await rolledBack();
    await startAhead(ahead);
    const key = bytes("lost-0");
    await expect(ahead.client.range({ key })).rejects.toThrow(corrupt);
    await startAhead(ahead, () => ahead.restart());
    await expect(ahead.client.range({ key })).rejects.toThrow(corrupt);
    // The operator finds the right directories.
    await Promise.all([ahead, ...others].map((member) => member.stop()));
    for (const member of others) {
      rmSync(member.dataDir, { recursive: true });
      renameSync(wholeOf(member), member.dataDir);
    }
    await Promise.all([ahead, ...others].map((member) => member.start()));
    for (const member of [ahead, ...others]) {
      await member.client.reconnected();
      // Until a leader has told how far the log reaches, the member answers nothing.
      const { client } = member;
      await eventually("it answers", async () => (await client.range({ key })).count === 1n);
      expect(await corruptAlarms(member)).toEqual([]);
    }
    expect(existsSync(join(ahead.dataDir, "lost-entries"))).toBe(true);
    expect(await story(ahead)).toMatch(/It serves clients/);
  }, 120_000);
});
