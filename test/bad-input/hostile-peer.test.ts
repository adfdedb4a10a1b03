/**
 * A stranger on the peer ports of a cluster of three. Nothing that it says is believed: the members go
 * on in their term, with flat memory, and come back from a restart.
 */
import { afterEach, beforeEach, expect, test } from "vitest";
import { complete } from "../../src/cli/ctl/method.js";
import { EntryEncoder } from "../../src/member/turns/request-codec.js";
import { createNodeDisk } from "../../src/platform/node/disk.js";
import type { MessageFields } from "../../src/raft/message.js";
import { EntryType } from "../../src/raft/types.js";
import { openWal } from "../../src/wal/wal.js";
import { PutRequest } from "../../src/wire/gen/rpc.js";
import { RequestField } from "../../src/wire/proposal.js";
import { serves } from "../crash/rounds.js";
import { bytes } from "../support/client.js";
import { Cluster, type ClusterMember } from "../support/cluster.js";
import { runSeed, SeededRng } from "../support/seeded-rng.js";
import { refusedStart } from "./refusal.js";
import { type Claim, hellos, Recorder, raftFrame, speak } from "./stranger.js";

const MEBIBYTE = 1 << 20;
const testMs = 120_000;
let cluster: Cluster;
let clusterId = 0n;
let ids = new Map<ClusterMember, bigint>();
let written = 0;

beforeEach(async () => {
  cluster = await Cluster.start({ kind: "lockstep", size: 3 });
  ids = new Map();
  for (const member of cluster.members) {
    const { header } = await member.client.status({});
    ids.set(member, header?.member_id ?? 0n);
    clusterId = header?.cluster_id ?? 0n;
  }
  await works();
}, testMs);
afterEach(() => cluster.dispose());

const idOf = (member: ClusterMember): bigint => ids.get(member) as bigint;

/** Writes, and reads linearizably, at each running member. */
async function works(): Promise<void> {
  for (const member of cluster.members.filter(({ isRunning }) => isRunning)) {
    const value = `value ${++written}`;
    await member.client.put({ key: bytes("k"), value: bytes(value) });
    for (const other of cluster.members.filter(({ isRunning }) => isRunning)) {
      const { kvs } = await other.client.range({ key: bytes("k") });
      expect(String(kvs[0]?.value)).toBe(value);
    }
  }
}

async function term(): Promise<bigint> {
  const terms = await Promise.all(
    cluster.members
      .filter(({ isRunning }) => isRunning)
      .map(async ({ client }) => (await client.status({})).raftTerm),
  );
  expect(new Set(terms).size).toBe(1);
  return terms[0] as bigint;
}

/** Every member in the name of every other one, and of one that nobody knows. */
function claims(): readonly (readonly [ClusterMember, Claim])[] {
  return cluster.members.flatMap((to) =>
    [...cluster.members.filter((member) => member !== to).map(idOf), 12345n].map(
      (from) => [to, { clusterId, from, to: idOf(to) }] as const,
    ),
  );
}

/** Says it to all, in the name of all. */
async function tellAll(fields: (claim: Claim) => MessageFields): Promise<void> {
  await Promise.all(
    claims().flatMap(([to, claim]) => {
      if (!to.isRunning) return [];
      const frame = raftFrame({ from: claim.from, ...fields(claim) });
      return hellos(claim).map((hello) => speak(to.plan.peerPort, [hello, frame, frame]));
    }),
  );
}

/** Nothing happened: not to the processes, not to the term, and not to what is on disk. */
async function nothingHappened(during: () => Promise<void>): Promise<void> {
  const before = await term();
  const pids = cluster.members.map(({ process }) => process.pid);
  await during();
  await works();
  expect(cluster.members.map(({ isRunning }) => isRunning)).toEqual([true, true, true]);
  expect(cluster.members.map(({ process }) => process.pid)).toEqual(pids);
  expect(await term()).toBe(before);
  await Promise.all(cluster.members.map((member) => member.restart()));
  for (const member of cluster.members) await serves(member);
  await works();
  expect(await term()).toBeLessThan(before + 50n);
}

test(
  "heartbeats of a term at the end of the numbers",
  async () => {
    await nothingHappened(() =>
      tellAll(({ to }) => ({ type: "MsgHeartbeat", to, term: Number.MAX_SAFE_INTEGER })),
    );
    const metrics = await fetch(`http://${cluster.first.endpoint}/metrics`);
    expect(await metrics.text()).toContain("lockstep_peer_lost_total");
  },
  testMs,
);

test(
  "heartbeats that commit what nobody has, votes and appends of the next terms",
  async () => {
    const next = Number(await term());
    await nothingHappened(async () => {
      await tellAll(({ to }) => ({ type: "MsgHeartbeat", to, term: next, commit: 1e9 }));
      await tellAll(({ to }) => ({ type: "MsgHeartbeat", to, term: next + 1, commit: 1e9 }));
      await tellAll(({ to }) => ({
        type: "MsgVote",
        to,
        term: next + 2,
        index: 1e9,
        logTerm: next + 1,
        context: 1,
      }));
      await tellAll(({ to }) => ({ type: "MsgApp", to, term: next + 3, index: 1e9, logTerm: 1 }));
      await tellAll(({ to }) => ({ type: "MsgTimeoutNow", to, term: next }));
    });
    const metrics = await (await fetch(`http://${cluster.first.endpoint}/metrics`)).text();
    expect(metrics).not.toContain("lockstep_peer_rejected_total{");
  },
  testMs,
);

test(
  "a term that an older build took from a stranger is told at the start",
  async () => {
    const [, , poisoned] = cluster.members as [ClusterMember, ClusterMember, ClusterMember];
    await poisoned.stop();
    const disk = createNodeDisk(poisoned.dataDir, () => {});
    const { wal } = openWal(disk, { dir: "wal", segmentBytes: 1 << 24 });
    const hardState = { term: Number.MAX_SAFE_INTEGER, vote: 0n, commit: 1 };
    const batch = { hardState, entries: [], snapshot: undefined, mustSync: true };
    await new Promise<void>((resolve) => wal.append(batch, resolve));
    wal.close();
    disk.close();
    const { log } = await refusedStart(poisoned);
    expect(log).toContain("which no election leads to");
    await works();
  },
  testMs,
);

test(
  "a forged proposal writes nothing",
  async () => {
    const put = complete(PutRequest, { key: bytes("forged"), value: bytes("x") });
    const body = PutRequest.encode(put).finish();
    await nothingHappened(() =>
      tellAll(({ to, from }) => {
        const data = new EntryEncoder(from).encode(7, RequestField.put, body);
        const entries = [{ term: 0, index: 0, type: EntryType.normal, data }];
        return { type: "MsgProp", to, entries };
      }),
    );
    const { kvs } = await cluster.first.client.range({ key: bytes("forged") });
    expect(kvs).toEqual([]);
  },
  testMs,
);

test(
  "25 half-sent messages of 60 MiB are not kept, and their connections are closed",
  async () => {
    const { plan, process } = cluster.first;
    const half = Buffer.alloc(59 * MEBIBYTE, 1);
    const header = Buffer.alloc(8);
    header.writeUInt32LE(60 * MEBIBYTE, 0);
    await nothingHappened(async () => {
      const before = process.memory().anonBytes;
      const mine = claims().filter(([to]) => to === cluster.first);
      const sent = Array.from({ length: 25 }, (_, place) => {
        const claim = (mine[place % mine.length] as (typeof mine)[number])[1];
        const hello = hellos(claim)[place % 2] as Buffer;
        return speak(plan.peerPort, [hello, header, half]);
      });
      let peak = 0;
      const watch = setInterval(() => {
        peak = Math.max(peak, process.memory().anonBytes);
      }, 50);
      try {
        await Promise.all(sent);
      } finally {
        clearInterval(watch);
      }
      expect(peak - before).toBeLessThan(150 * MEBIBYTE);
    });
  },
  testMs,
);

test(
  "random bytes, also behind a greeting",
  async () => {
    const rng = new SeededRng(runSeed());
    const noise = (): Buffer =>
      Buffer.from(Array.from({ length: 1 + rng.int(3_000) }, () => rng.int(256)));
    await nothingHappened(async () => {
      for (let round = 0; round < 20; round++) {
        await Promise.all(
          claims().flatMap(([to, claim]) => [
            speak(to.plan.peerPort, [noise()]),
            ...hellos(claim).map((hello) => {
              const damaged = Buffer.from(hello);
              damaged[rng.int(damaged.length)] = rng.int(256);
              return speak(to.plan.peerPort, [damaged, noise()]);
            }),
          ]),
        );
      }
    });
  },
  testMs,
);

test(
  "a recording of real connections",
  async () => {
    const [, , suspect] = cluster.members as [ClusterMember, ClusterMember, ClusterMember];
    const recorder = await Recorder.start(suspect.plan.peerPort);
    const client = cluster.first.client;
    try {
      await nothingHappened(async () => {
        await client.memberUpdate({ ID: idOf(suspect), peerURLs: [recorder.url] });
        await works();
        // These rounds are enough for the new connections to carry some entries.
        for (let round = 0; round < 50; round++) await works();
        await client.memberUpdate({ ID: idOf(suspect), peerURLs: [suspect.peerUrl] });
        const recorded = recorder.recorded.filter((pieces) => Buffer.concat(pieces).length > 2_000);
        expect(recorded.length).toBeGreaterThan(0);
        for (const pieces of recorded) await speak(suspect.plan.peerPort, pieces);
      });
    } finally {
      recorder.close();
    }
  },
  testMs,
);

test(
  "in the name of a member that is down, and many silent connections meanwhile",
  async () => {
    const [first, , gone] = cluster.members as [ClusterMember, ClusterMember, ClusterMember];
    // A write on its way to a leader that is killed would wait for its time to be over.
    const leader = await cluster.leader();
    if (leader !== first) await leader.client.moveLeader({ targetID: idOf(first) });
    await gone.kill();
    await works();
    const before = await term();
    await tellAll(({ to }) => ({ type: "MsgHeartbeat", to, term: Number(before) + 1 }));
    await tellAll(({ to }) => ({
      type: "MsgVote",
      to,
      term: Number(before) + 5,
      index: 1e6,
      logTerm: 1,
      context: 1,
    }));
    await works();
    expect(await term()).toBe(before);
    const silent = Array.from({ length: 300 }, () => speak(first.plan.peerPort, []));
    const startedMs = performance.now();
    await gone.start();
    await serves(gone);
    expect(performance.now() - startedMs).toBeLessThan(30_000);
    await works();
    await Promise.all(silent);
    expect(await term()).toBe(before);
  },
  testMs,
);
