/**
 * Data directories that are damaged, missing, foreign, removed from the cluster or in use: a clear
 * error or a clean refusal, and the data of the others (and its own) intact.
 */
import { spawnSync } from "node:child_process";
import {
  closeSync,
  cpSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { afterEach, describe, expect, test } from "vitest";
import { endOfData, newestSegment } from "../../src/cli/stage/file-damage.js";
import { compareHashes, serves } from "../crash/rounds.js";
import { bytes } from "../support/client.js";
import { Cluster, type ClusterMember } from "../support/cluster.js";
import { isMissing, serverCommand, subject } from "../support/server-kind.js";
import { refusedStart } from "./refusal.js";

/** Runs a program in a PID namespace of its own, as a container does; killed, it takes that with it. */
const otherPids = ["unshare", "--fork", "--pid", "--mount-proc", "--kill-child"];
const canUnshare = spawnSync(otherPids[0] as string, [...otherPids.slice(1), "true"]).status === 0;

const clusters: Cluster[] = [];
afterEach(async () => {
  await Promise.all(clusters.splice(0).map((cluster) => cluster.dispose()));
});

async function startWithData(size: number): Promise<Cluster> {
  const cluster = await Cluster.start({ kind: subject, size });
  clusters.push(cluster);
  for (let i = 0; i < 200; i++) {
    await cluster.first.client.put({ key: bytes(`k${i}`), value: Buffer.alloc(500, "v") });
  }
  return cluster;
}

async function hasAllData(member: ClusterMember): Promise<void> {
  await serves(member);
  const { count } = await member.client.range({
    key: bytes("k"),
    range_end: bytes("l"),
    count_only: true,
  });
  expect(count).toBe(200n);
}

function flipByte(path: string, share: number): void {
  const file = openSync(path, "r+");
  const at = Math.floor(endOfData(file) * share);
  const byte = Buffer.alloc(1);
  readSync(file, byte, 0, 1, at);
  byte[0] = (byte[0] ?? 0) ^ 0x10;
  writeSync(file, byte, 0, 1, at);
  closeSync(file);
}

describe.skipIf(isMissing(subject))("data directories", () => {
  test("a flipped bit in the middle of the log stops the start, whole data starts again", async () => {
    const { first } = await startWithData(1);
    await first.kill();
    const segment = newestSegment(first.dataDir);
    for (const share of [0.3, 0.5, 0.8]) {
      flipByte(segment, share);
      const { log } = await refusedStart(first);
      expect(log).toMatch(/crc|corrupt|damage|mismatch|checksum/i);
      flipByte(segment, share);
    }
    await first.start();
    await hasAllData(first);
  }, 90_000);

  test("the data of another cluster is refused by the peers", async () => {
    const cluster = await startWithData(3);
    const foreign = await Cluster.start({ kind: subject });
    clusters.push(foreign);
    await foreign.first.client.put({ key: bytes("foreign"), value: bytes("x") });
    await foreign.first.stop();
    const member = cluster.members[2] as ClusterMember;
    await member.stop();
    const own = `${member.dataDir}.own`;
    renameSync(member.dataDir, own);
    cpSync(foreign.first.dataDir, member.dataDir, { recursive: true });
    member.spawn();
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    for (const other of cluster.members.slice(0, 2)) {
      await hasAllData(other);
      const { count } = await other.client.range({ key: bytes("foreign") });
      expect(count).toBe(0n);
    }
    await member.kill();
    rmSync(member.dataDir, { recursive: true });
    renameSync(own, member.dataDir);
    await member.start();
    await hasAllData(member);
    await compareHashes(cluster, 201);
  }, 90_000);

  test("a member that lost its data may not start as a new one", async () => {
    const cluster = await startWithData(3);
    const member = cluster.members[1] as ClusterMember;
    await member.kill();
    rmSync(member.dataDir, { recursive: true });
    const { log } = await refusedStart(member);
    expect(log).toMatch(/already been bootstrapped/);
    await hasAllData(cluster.first);
  }, 90_000);

  test("a removed member may not come back", async () => {
    const cluster = await startWithData(3);
    const member = cluster.members[2] as ClusterMember;
    const { header } = await member.client.status({});
    await member.kill();
    const { client } = await cluster.leader();
    await client.memberRemove({ ID: header?.member_id ?? 0n });
    const started = member.spawn();
    await Promise.race([started.exited, new Promise((resolve) => setTimeout(resolve, 5_000))]);
    const answer = member.client.range({ key: bytes("k1") }, { timeoutMs: 1_500 });
    await expect(answer).rejects.toThrow();
    for (const other of cluster.members.slice(0, 2)) await hasAllData(other);
    const { members } = await cluster.first.client.memberList({ linearizable: true });
    expect(members).toHaveLength(2);
  }, 90_000);

  test("a directory in use by another process is left alone", async () => {
    const cluster = await startWithData(1);
    const { first } = cluster;
    const second = await cluster.plan();
    rmSync(second.dataDir, { recursive: true, force: true });
    const flags = [`--data-dir=${first.dataDir}`, `--name=${first.name}`];
    await refusedStart(second, { flags, withinMs: 5_000, mayWait: true });
    await hasAllData(first);
    await first.client.put({ key: bytes("k0"), value: bytes("still writing") });
    await first.kill();
    await first.start();
    await hasAllData(first);
  }, 90_000);

  test.skipIf(!canUnshare)(
    "a directory in use in another container is left alone (skipped where unshare may not)",
    async () => {
      const cluster = new Cluster({ kind: subject });
      clusters.push(cluster);
      const first = await cluster.plan();
      const { command, args } = serverCommand(subject);
      const [unshare, ...namespaces] = otherPids;
      first.plan.command = { command: unshare as string, args: [...namespaces, command, ...args] };
      await first.start();
      await first.client.put({ key: bytes("a"), value: bytes("1") });
      const second = await cluster.plan();
      second.plan.initialCluster = `${first.name}=${second.peerUrl}`;
      rmSync(second.dataDir, { recursive: true, force: true });
      const flags = [`--data-dir=${first.dataDir}`, `--name=${first.name}`];
      const { log } = await refusedStart(second, { flags, withinMs: 10_000, mayWait: true });
      if (subject === "lockstep") {
        expect(log).toMatch(/is in use by process \d+ of another PID namespace.*stop it/);
      }
      await first.client.put({ key: bytes("a"), value: bytes("2") });
      await first.kill();
      // The one that was refused may have it as soon as the first is dead.
      first.plan.command = undefined;
      await first.start();
      const { kvs } = await first.client.range({ key: bytes("a") });
      expect(kvs.map(({ value }) => Buffer.from(value).toString())).toEqual(["2"]);
    },
    90_000,
  );

  test("a path that is no directory, and one that cannot be made, are errors", async () => {
    const cluster = new Cluster({ kind: subject });
    clusters.push(cluster);
    const member = await cluster.plan();
    writeFileSync(member.dataDir, "a file");
    await refusedStart(member);
    await refusedStart(member, { flags: ["--data-dir=/proc/nowhere"] });
  }, 60_000);

  test("flags that contradict each other are errors", async () => {
    const cluster = new Cluster({ kind: subject });
    clusters.push(cluster);
    const member = await cluster.plan();
    const cases = [
      [`--initial-cluster=other=${member.peerUrl}`],
      [`--initial-advertise-peer-urls=http://127.0.0.1:1`],
      ["--listen-client-urls=nonsense"],
      ["--initial-cluster-state=sideways"],
      ["--no-such-flag"],
    ];
    for (const flags of cases) {
      await refusedStart(member, { flags });
      rmSync(member.dataDir, { recursive: true, force: true });
    }
    mkdirSync(member.dataDir, { recursive: true });
    await member.start();
    await member.client.put({ key: bytes("a"), value: bytes("b") });
  }, 60_000);
});
