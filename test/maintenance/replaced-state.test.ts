/**
 * What replaces the backend of a member, beside all that reads it: no member ends, no client gets a
 * wrong answer. On real processes, because what ended members was the native library.
 */
import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import type { SnapshotResponse } from "../../src/wire/gen/rpc.js";
import { bytes, isServiceError } from "../support/client.js";
import { Cluster, type ClusterMember } from "../support/cluster.js";
import { isMissing, subject } from "../support/server-kind.js";

const timeoutMs = 120_000;
let cluster: Cluster | undefined;
afterEach(async () => {
  await cluster?.dispose();
  cluster = undefined;
});

async function start(size: number, flags: readonly string[] = []): Promise<Cluster> {
  cluster = await Cluster.start({ kind: subject, size, flags });
  return cluster;
}

test.skipIf(isMissing(subject))(
  "one member: large puts, a delete, a defragmentation, a physical compaction",
  async () => {
    const { first } = await start(1);
    const value = Buffer.alloc(1024 * 1024, 7);
    await first.client.put({ key: bytes("big"), value });
    await first.client.put({ key: bytes("big"), value });
    await first.client.deleteRange({ key: bytes("big") });
    await first.client.defragment({}, { timeoutMs: 60_000 });
    // Only now is it certain that the puts are in the file.
    const before = await first.client.status({});
    expect(Number(before.dbSize)).toBeGreaterThan(2 * value.length);
    await first.client.compact({ revision: 4n, physical: true }, { timeoutMs: 60_000 });
    await first.client.put({ key: bytes("after"), value: bytes("1") });
    await first.client.defragment({}, { timeoutMs: 60_000 });
    const after = await first.client.status({});
    expect(Number(after.dbSize)).toBeLessThan(Number(before.dbSize) / 4);
    await first.restart();
    expect((await first.client.range({ key: bytes("after") })).kvs[0]?.value).toEqual(bytes("1"));
    expect(first.isRunning).toBe(true);
  },
  timeoutMs,
);

test.skipIf(isMissing(subject))(
  "three members: 2,000 puts, defragmentation of all, a compaction, restarts",
  async () => {
    const { first, members } = await start(3);
    let revision = 0n;
    for (let round = 0; round < 20; round++) {
      const puts = Array.from({ length: 100 }, (_, at) =>
        first.client.put({ key: bytes(`key-${at}`), value: Buffer.alloc(1024, round) }),
      );
      for (const put of await Promise.all(puts)) {
        const at = put.header?.revision ?? 0n;
        if (at > revision) revision = at;
      }
    }
    for (const { client } of members) await client.defragment({}, { timeoutMs: 60_000 });
    await first.client.compact({ revision, physical: true }, { timeoutMs: 60_000 });
    for (const member of members) await member.restart();
    const hashes = await sameHashes(members);
    expect(new Set(hashes).size).toBe(1);
    expect(members.map(({ isRunning }) => isRunning)).toEqual([true, true, true]);
  },
  timeoutMs,
);

test.skipIf(isMissing(subject))(
  "HashKV, Hash and Snapshot while the member defragments: right answers, and it lives",
  async () => {
    const { first } = await start(1);
    await fill(first, 20_000);
    const expected = (await first.client.hashKv({ revision: 0n })).hash;
    let isOver = false;
    const again = async (read: () => Promise<void>): Promise<unknown> => {
      let count = 0;
      try {
        for (; !isOver; count++) await read();
      } catch (error) {
        return error;
      }
      return count > 0;
    };
    const readers = [
      ...[1, 2].map(() =>
        again(async () => {
          expect((await first.client.hashKv({ revision: 0n })).hash).toBe(expected);
        }),
      ),
      again(async () => {
        await first.client.hash({});
      }),
      again(async () => {
        expect(await soundSnapshot(first)).toBe(true);
      }),
    ];
    for (let round = 0; round < 8; round++) {
      await first.client.defragment({}, { timeoutMs: 60_000 });
    }
    isOver = true;
    expect(await Promise.all(readers)).toEqual([true, true, true, true]);
    expect(first.isRunning).toBe(true);
    expect((await first.client.hashKv({ revision: 0n })).hash).toBe(expected);
    // Replaced states are gone with their last reader.
    await expect.poll(() => backendsOf(first), { timeout: 20_000 }).toHaveLength(1);
  },
  timeoutMs,
);

test.skipIf(isMissing(subject))(
  "three members that check each other's hashes all the time, while all defragment",
  async () => {
    const flags =
      subject === "etcd35"
        ? ["--experimental-corrupt-check-time=100ms"]
        : ["--corrupt-check-time=100ms"];
    const { first, members } = await start(3, flags);
    await fill(first, 12_000);
    let isOver = false;
    const readers = members.map(async ({ client }) => {
      while (!isOver) await client.hashKv({ revision: 0n }, { timeoutMs: 60_000 });
    });
    for (let round = 0; round < 5; round++) {
      await Promise.all(members.map(({ client }) => client.defragment({}, { timeoutMs: 60_000 })));
    }
    isOver = true;
    expect((await Promise.allSettled(readers)).map(({ status }) => status)).toEqual(
      members.map(() => "fulfilled"),
    );
    expect(members.map(({ isRunning }) => isRunning)).toEqual([true, true, true]);
    expect((await first.client.alarm({})).alarms).toEqual([]);
    expect(new Set(await sameHashes(members)).size).toBe(1);
  },
  timeoutMs,
);

test.skipIf(isMissing(subject))(
  "an open Snapshot stream outlives two defragmentations and is what it was",
  async () => {
    const { first } = await start(1);
    await fill(first, 10_000);
    const stream = await openStream(first);
    for (let round = 0; round < 2; round++) {
      await first.client.put({ key: bytes("later"), value: bytes(`${round}`) });
      await first.client.defragment({}, { timeoutMs: 60_000 });
    }
    const pieces = await stream.rest();
    expect(isWhole(pieces)).toBe(true);
    expect(Buffer.concat(pieces.map(({ blob }) => blob)).includes("later")).toBe(false);
    await expect.poll(() => backendsOf(first), { timeout: 20_000 }).toHaveLength(1);
  },
  timeoutMs,
);

test.skipIf(isMissing(subject))(
  "a follower that gets its state by snapshot while it is read, and the leader defragments",
  async () => {
    const flags = ["--snapshot-count=1000"];
    if (subject === "etcd35") flags.push("--experimental-snapshot-catchup-entries=500");
    const { members, leader } = await start(3, flags).then(async (of) => ({
      members: of.members,
      leader: await of.leader(),
    }));
    await fill(leader, 4_000);
    const follower = members.find((member) => member !== leader) as ClusterMember;
    await follower.client.range({ key: bytes("fill-0") });
    const open = await openStream(follower);
    const paused = follower.process.child;
    paused.kill("SIGSTOP");
    // What is asked while it is paused is answered while it installs.
    const hashes = Array.from({ length: 20 }, () =>
      follower.client.hashKv({ revision: 0n }, { timeoutMs: 60_000 }),
    );
    // A leader keeps the log for a member that it hears. It must need a snapshot.
    if (subject === "lockstep") {
      await leader.process.waitForLine(/lost the connection to a peer/, 30_000);
    }
    await fill(leader, 12_000, 6_000);
    const installed =
      subject === "lockstep" ? follower.process.waitForLine(/applied snapshot/, 60_000) : undefined;
    paused.kill("SIGCONT");
    let isCaughtUp = false;
    const reading = (async () => {
      while (!isCaughtUp) {
        await Promise.allSettled([
          follower.client.hashKv({ revision: 0n }, { timeoutMs: 60_000 }),
          follower.client.hash({}, { timeoutMs: 60_000 }),
        ]);
        // Calls that fail at once must not keep the process from everything else.
        await setImmediate();
      }
    })();
    // The transfer runs meanwhile; each one holds up the leader for a moment.
    for (let round = 0; round < 2; round++) {
      await leader.client.defragment({}, { timeoutMs: 60_000 });
    }
    await (installed ?? Promise.resolve()).finally(() => {
      isCaughtUp = true;
    });
    await reading;
    expect((await Promise.allSettled(hashes)).map(({ status }) => status)).toEqual(
      hashes.map(() => "fulfilled"),
    );
    expect(isWhole(await open.rest())).toBe(true);
    expect(new Set(await sameHashes(members)).size).toBe(1);
    expect(members.map(({ isRunning }) => isRunning)).toEqual([true, true, true]);
  },
  timeoutMs,
);

/** A Snapshot stream of which one piece was read; `rest` gives all pieces. */
async function openStream(
  member: ClusterMember,
): Promise<{ rest(): Promise<readonly SnapshotResponse[]> }> {
  const stream = member.client.snapshotStream();
  const pieces: SnapshotResponse[] = [];
  await new Promise<void>((resolve, reject) => {
    stream.once("data", (piece: SnapshotResponse) => {
      pieces.push(piece);
      stream.pause();
      resolve();
    });
    stream.once("error", reject);
  });
  const rest = new Promise<readonly SnapshotResponse[]>((resolve, reject) => {
    stream.on("data", (piece: SnapshotResponse) => pieces.push(piece));
    stream.once("end", () => resolve(pieces));
    stream.once("error", reject);
  });
  stream.pause();
  // Told when it is asked for.
  rest.catch(() => {});
  return {
    rest: () => {
      stream.resume();
      return rest;
    },
  };
}

/** Names of data files that are there. */
function backendsOf(member: ClusterMember): readonly string[] {
  if (subject !== "lockstep") return ["-"];
  return readdirSync(join(member.dataDir, "backends")).filter((name) => name.endsWith(".mdb"));
}

async function fill(member: ClusterMember, keys: number, valueBytes = 500): Promise<void> {
  for (let from = 0; from < keys; from += 500) {
    await Promise.all(
      Array.from({ length: 500 }, (_, at) =>
        member.client.put({ key: bytes(`fill-${from + at}`), value: Buffer.alloc(valueBytes, at) }),
      ),
    );
  }
}

/** HashKV of all members at one revision that all have. */
async function sameHashes(members: readonly ClusterMember[]): Promise<readonly number[]> {
  const { header } = await (members[0] as ClusterMember).client.put({ key: bytes("end") });
  for (const { client } of members) await client.range({ key: bytes("end") });
  const revision = header?.revision ?? 0n;
  return Promise.all(members.map(async ({ client }) => (await client.hashKv({ revision })).hash));
}

async function soundSnapshot(member: ClusterMember): Promise<boolean> {
  const pieces: SnapshotResponse[] = [];
  const stream = member.client.snapshotStream();
  await new Promise<void>((resolve, reject) => {
    stream.on("data", (piece: SnapshotResponse) => pieces.push(piece));
    stream.once("end", resolve);
    stream.once("error", (error) => {
      reject(isServiceError(error) ? new Error(error.details) : error);
    });
  });
  return isWhole(pieces);
}

/** The last 32 bytes are the hash of all before them. */
function isWhole(pieces: readonly SnapshotResponse[]): boolean {
  const all = Buffer.concat(pieces.map(({ blob }) => blob));
  const hash = createHash("sha256").update(all.subarray(0, -32)).digest();
  return all.length > 32 && hash.equals(all.subarray(-32));
}
