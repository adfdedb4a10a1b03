/**
 * The requests of clients and operators to a member in the fuzz test. Each call is drawn with
 * numbers of its own, so that a seed asks the same in the same order however long each takes.
 */
import { status as Code } from "@grpc/grpc-js";
import { bytes, EtcdClient, isServiceError } from "../support/client.js";
import type { ClusterMember } from "../support/cluster.js";
import type { SeededRng } from "../support/seeded-rng.js";
import { Watcher } from "../support/watcher.js";
import type { Seed } from "./seed.js";

export interface Asked {
  readonly member: ClusterMember;
  /**
   * A client of the member, with a long life. Calls that are given up have a client of their own.
   */
  readonly client: EtcdClient;
  readonly rng: SeededRng;
  readonly seed: Seed;
  /** The revision of the cluster, as last seen. */
  readonly revision: () => number;
  readonly members: readonly ClusterMember[];
}

export interface FuzzCall {
  readonly name: string;
  readonly weight: number;
  /** Besides Unavailable, which any call may be answered, and the client's own deadline. */
  readonly codes: readonly Code[];
  /** @throws LieError if what was answered is wrong */
  run(asked: Asked): Promise<unknown>;
}

/** An answer that is wrong, whatever else happens. */
export class LieError extends Error {}

const timeoutMs = 60_000;
const slow = { timeoutMs };
const all = { key: bytes("s/"), range_end: bytes("s0") };
const every = { key: Buffer.of(0), range_end: Buffer.of(0) };

/** Some revision that may be compacted, present, or (seldom) not there yet. */
function drawnRevision({ rng, revision }: Asked): bigint {
  const back = rng.pick([0, 10, 300, 5_000]);
  return BigInt(Math.max(1, revision() - rng.int(back + 1) + (rng.chance(3) ? 50 : 0)));
}

export const fuzzCalls: readonly FuzzCall[] = [
  {
    name: "defragment",
    weight: 3,
    codes: [],
    run: ({ client }) => client.defragment({}, slow),
  },
  {
    name: "hash-kv",
    weight: 5,
    codes: [Code.OUT_OF_RANGE],
    run: (asked) => {
      const revision = asked.rng.chance(50) ? 0n : drawnRevision(asked);
      return asked.client.hashKv({ revision }, slow);
    },
  },
  {
    name: "hash",
    weight: 3,
    codes: [Code.RESOURCE_EXHAUSTED],
    run: ({ client }) => client.hash({}, slow),
  },
  {
    name: "snapshot",
    weight: 3,
    codes: [Code.RESOURCE_EXHAUSTED],
    run: (asked) => readSnapshot(asked, { pauseMs: 0, messagesMax: Number.POSITIVE_INFINITY }),
  },
  {
    name: "snapshot-slow",
    weight: 2,
    codes: [Code.RESOURCE_EXHAUSTED],
    run: (asked) => {
      const pauseMs = 10 + asked.rng.int(60);
      return readSnapshot(asked, { pauseMs, messagesMax: 30 });
    },
  },
  {
    name: "snapshot-unread",
    weight: 1,
    codes: [Code.RESOURCE_EXHAUSTED],
    run: unreadSnapshots,
  },
  {
    name: "compact",
    weight: 2,
    codes: [Code.OUT_OF_RANGE],
    run: (asked) => {
      const { client, rng, revision } = asked;
      const back = rng.pick([1, 20, 500, 3_000]);
      const at = BigInt(Math.max(1, revision() - rng.int(back)));
      return client.compact({ revision: at, physical: rng.chance(50) }, slow);
    },
  },
  {
    name: "status",
    weight: 2,
    codes: [],
    run: ({ client, rng }) => (rng.chance(50) ? client.status({}) : client.alarm({})),
  },
  { name: "range", weight: 5, codes: [Code.OUT_OF_RANGE], run: bigRange },
  { name: "gets", weight: 3, codes: [], run: manyGets },
  { name: "txn", weight: 4, codes: [], run: bigTxn },
  { name: "watch", weight: 3, codes: [], run: watchHistory },
  { name: "lease", weight: 3, codes: [Code.NOT_FOUND], run: leaseWithKeys },
  {
    name: "move-leader",
    weight: 2,
    // Not the leader, or the other one could not take over in time.
    codes: [Code.FAILED_PRECONDITION, Code.UNKNOWN],
    run: async ({ client, members, rng }) => {
      // The other one may be down, or in quarantine.
      const known = await rng
        .pick(members)
        .client.status({})
        .catch(() => undefined);
      return client.moveLeader({ targetID: known?.header?.member_id ?? 1n }, slow);
    },
  },
];

/** Runs `work` with a client of its own, whose connection is gone afterwards. */
async function apart<T>(
  member: ClusterMember,
  work: (client: EtcdClient) => Promise<T>,
): Promise<T> {
  const client = new EtcdClient(member.endpoint);
  try {
    return await work(client);
  } finally {
    client.close();
  }
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Ends after so many messages, which is to give up what is left. */
function readSnapshot(
  { member }: Asked,
  how: { readonly pauseMs: number; readonly messagesMax: number },
): Promise<void> {
  return apart(
    member,
    (client) =>
      new Promise((resolve, reject) => {
        const stream = client.snapshotStream();
        let messages = 0;
        stream.on("error", reject);
        stream.on("end", resolve);
        stream.on("data", () => {
          if (++messages === how.messagesMax) {
            stream.cancel();
            resolve();
          } else if (how.pauseMs > 0) {
            stream.pause();
            setTimeout(() => stream.resume(), how.pauseMs);
          }
        });
      }),
  );
}

/** More streams at a time than LMDB has readers, and none is read. */
function unreadSnapshots(asked: Asked): Promise<void> {
  const { member, rng } = asked;
  return apart(member, async (client) => {
    const streams = [];
    let refusal: unknown;
    for (let count = rng.pick([5, 40, 170]); count > 0; count--) {
      const stream = client.snapshotStream();
      stream.on("error", (error) => {
        refusal ??= error;
      });
      stream.pause();
      streams.push(stream);
      // So that the next one is of another commit.
      await asked.client.put({ key: bytes(`u/${rng.int(20)}`), value: bytes(`${count}`) });
    }
    await sleep(rng.int(1_500));
    const told = refusal;
    for (const stream of streams) stream.cancel();
    if (told !== undefined) throw told;
  });
}

async function bigRange(asked: Asked): Promise<void> {
  const { client, rng, seed } = asked;
  const serializable = rng.chance(50);
  switch (rng.int(5)) {
    case 0: {
      const { kvs, count } = await client.range({ ...all, serializable }, slow);
      if (kvs.length !== seed.count || count !== BigInt(seed.count)) {
        throw new LieError(`a range of ${seed.count} keys that never change gave ${kvs.length}`);
      }
      return;
    }
    case 1:
      await client.range({ ...every, keys_only: true, serializable }, slow);
      return;
    case 2:
      await client.range(
        { ...every, sort_order: 2, sort_target: 4, limit: 10n, serializable },
        slow,
      );
      return;
    case 3:
      await client.range({ ...every, revision: drawnRevision(asked), limit: 500n }, slow);
      return;
    default: {
      const place = rng.int(seed.count);
      const { kvs } = await client.range({ key: seed.key(place), serializable });
      if (kvs[0]?.value.equals(seed.value(place)) !== true) {
        throw new LieError(`a key that never changes was answered wrong: ${kvs.length} found`);
      }
    }
  }
}

/** So many that some are under way whatever happens. */
function manyGets({ member, rng, seed }: Asked): Promise<void> {
  const untilMs = Date.now() + 200 + rng.int(1_000);
  return apart(member, async (client) => {
    const loop = async (at: number): Promise<void> => {
      for (let place = at % seed.count; Date.now() < untilMs; place = (place + 7) % seed.count) {
        await client.range({ key: seed.key(place), serializable: true });
      }
    };
    await Promise.all(Array.from({ length: 40 }, (_, at) => loop(at)));
  });
}

async function bigTxn({ client, rng }: Asked): Promise<void> {
  const from = rng.int(2_000);
  const puts = Array.from({ length: 100 }, (_, at) => ({
    request: {
      $case: "request_put",
      value: {
        ...{ key: bytes(`t/${from + at}`), value: Buffer.alloc(1 + rng.int(2_000), at), lease: 0n },
        ...{ prev_kv: false, ignore_value: false, ignore_lease: false },
      },
    },
  }));
  if (rng.chance(20)) {
    await client.deleteRange({ key: bytes("t/"), range_end: bytes("t0") }, slow);
  } else await client.txn({ success: puts as never }, slow);
}

function watchHistory(asked: Asked): Promise<void> {
  const { member, rng } = asked;
  return apart(member, async (client) => {
    const watcher = new Watcher(client);
    try {
      watcher.create({ ...every, start_revision: drawnRevision(asked), prev_kv: rng.chance(30) });
      const wanted = 50 + rng.int(3_000);
      const pauseMs = rng.chance(30) ? 20 : 0;
      const untilMs = Date.now() + 10_000;
      for (let seen = 0; seen < wanted && Date.now() < untilMs; ) {
        const response = await watcher.next();
        // The history is gone, or the watch was refused.
        if (response.canceled) return;
        seen += response.events.length;
        if (pauseMs > 0) await sleep(pauseMs);
      }
    } finally {
      watcher.close();
    }
  });
}

async function leaseWithKeys({ client, rng }: Asked): Promise<void> {
  const { ID } = await client.leaseGrant({ TTL: BigInt(rng.pick([2, 600])) }, slow);
  for (let batch = rng.int(4); batch >= 0; batch--) {
    const puts = Array.from({ length: 100 }, (_, at) => ({
      request: {
        $case: "request_put",
        value: {
          ...{ key: bytes(`l/${ID}/${batch}/${at}`), value: bytes("held"), lease: ID },
          ...{ prev_kv: false, ignore_value: false, ignore_lease: false },
        },
      },
    }));
    await client.txn({ success: puts as never }, slow);
  }
  await client.leaseTimeToLive({ ID, keys: true });
  if (rng.chance(70)) await client.leaseRevoke({ ID }, slow);
}

/** Draws twice as often what overlaps with something that it has seldom met. */
export function drawLacking(
  rng: SeededRng,
  calls: readonly FuzzCall[],
  lacking: (name: string) => number,
): FuzzCall {
  const drawn = drawCall(rng, calls);
  if (rng.chance(40)) return drawn;
  const most = Math.max(...calls.map(({ name }) => lacking(name)));
  return most === 0 ? drawn : rng.pick(calls.filter(({ name }) => lacking(name) === most));
}

export function drawCall(rng: SeededRng, calls: readonly FuzzCall[]): FuzzCall {
  const total = calls.reduce((sum, { weight }) => sum + weight, 0);
  let left = rng.int(total);
  for (const call of calls) {
    left -= call.weight;
    if (left < 0) return call;
  }
  throw new Error("no weights");
}

export function textOf(error: unknown): string {
  if (!isServiceError(error)) return String((error as Error)?.stack ?? error);
  return `${Code[error.code]} ${error.details.replace(/127\.0\.0\.1:\d+/g, "<address>").slice(0, 160)}`;
}
