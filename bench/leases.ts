/**
 * Many leases that end in the same second, beside as many puts as the cluster takes. Each lease has
 * one key. Prints how long it takes until the last key is gone, and what the puts and a probe of
 * single puts saw meanwhile. Options: --leases <n>, --members <n>, --servers lockstep,etcd35,
 * --idle (no puts beside it).
 */
import { parseArgs } from "node:util";
import { complete } from "../src/cli/ctl/method.js";
import { PutRequest, RequestOp } from "../src/wire/gen/rpc.js";
import { bytes, type EtcdClient } from "../test/support/client.js";
import { Cluster, type ClusterMember } from "../test/support/cluster.js";
import type { ServerKind } from "../test/support/server-kind.js";
import { runLoad } from "./load/h2load.js";
import { percentile } from "./load/latencies.js";
import { describeMachine } from "./record/machine.js";

const { values } = parseArgs({
  options: {
    leases: { type: "string", default: "100000" },
    members: { type: "string", default: "3" },
    servers: { type: "string", default: "lockstep,etcd35" },
    "grant-ms": { type: "string", default: "0.4" },
    idle: { type: "boolean", default: false },
  },
});
const leases = Number(values.leases);
const inFlightMax = 500;
const keysPerTxn = 1_000;
/** Milliseconds that are allowed for a grant. */
const grantMs = Number(values["grant-ms"]);
/** From the last grant to the common end: members and client come to rest meanwhile. */
const restMs = 3_000;
const limitMs = 300_000;
const prefix = { key: bytes("leased/"), range_end: bytes("leased0") };
const patient = { timeoutMs: limitMs };

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Grants all with such times to live that they end at `endMs`, give or take half a second. */
async function grantAll(client: EtcdClient, endMs: number): Promise<void> {
  let next = 1;
  const worker = async (): Promise<void> => {
    for (let id = next++; id <= leases; id = next++) {
      const TTL = BigInt(Math.max(5, Math.round((endMs - Date.now()) / 1_000)));
      await client.leaseGrant({ ID: BigInt(id), TTL }, patient);
    }
  };
  await Promise.all(Array.from({ length: inFlightMax }, worker));
  for (let first = 1; first <= leases; first += keysPerTxn) {
    const success = Array.from({ length: Math.min(keysPerTxn, leases + 1 - first) }, (_, at) => {
      const put = complete(PutRequest, {
        key: bytes(`leased/${first + at}`),
        lease: BigInt(first + at),
      });
      return complete(RequestOp, { request: { $case: "request_put", value: put } });
    });
    await client.txn({ success }, patient);
  }
}

async function left(client: EtcdClient): Promise<number> {
  const { count } = await client.range({ ...prefix, count_only: true }, patient);
  return Number(count);
}

/** Milliseconds of single puts, one after the other, until `isOver`. */
async function probe(client: EtcdClient, isOver: () => boolean): Promise<number[]> {
  const waits: number[] = [];
  while (!isOver()) {
    const startedMs = performance.now();
    await client.put({ key: bytes("probe") }, patient);
    waits.push(performance.now() - startedMs);
    await sleep(5);
  }
  return waits.sort((a, b) => a - b);
}

/** Puts in bursts until `isOver`; returns how many, and how long the bursts took. */
async function loadUntil(leader: ClusterMember, isOver: () => boolean) {
  const put = complete(PutRequest, { key: bytes("bench"), value: Buffer.alloc(256, "v") });
  const plan = {
    ...{ endpoint: leader.endpoint, path: "/etcdserverpb.KV/Put" },
    ...{ message: PutRequest.encode(put).finish(), requests: 20_000, connections: 20, streams: 20 },
  };
  const startedMs = performance.now();
  let puts = 0;
  while (!isOver()) {
    await runLoad(plan);
    puts += plan.requests;
  }
  return { puts, seconds: (performance.now() - startedMs) / 1_000 };
}

async function run(kind: ServerKind): Promise<string> {
  const cluster = await Cluster.start({
    ...{ kind, size: Number(values.members) },
    flags: [`--max-txn-ops=${keysPerTxn}`],
  });
  try {
    const leader = await cluster.leader();
    const { client } = leader;
    const term = (await client.status({})).header?.raft_term;
    const endMs = Date.now() + 10_000 + leases * grantMs;
    await grantAll(client, endMs);
    const spareMs = endMs - Date.now();
    if (spareMs < restMs) return `${kind}: granting took ${-spareMs} ms too long`;
    let isOver = false;
    await sleep(spareMs - restMs);
    const loaded = values.idle ? undefined : loadUntil(leader, () => isOver);
    const probed = probe(client, () => isOver);
    // Half a second of rounding, and a lease may end a little late.
    while (Date.now() < endMs - 700 || (await left(client)) > 0) await sleep(50);
    const tookMs = Date.now() - endMs;
    isOver = true;
    const waits = await probed;
    const load = await loaded;
    const after = (await client.status({})).header?.raft_term;
    const puts =
      load === undefined ? "" : `${Math.round(load.puts / load.seconds)} puts/s beside, `;
    return (
      `${kind}: ${leases} leases gone ${tookMs} ms after their second, ${puts}` +
      `probe p50 ${percentile(waits, 0.5).toFixed(1)} p99 ${percentile(waits, 0.99).toFixed(1)} ` +
      `longest ${waits.at(-1)?.toFixed(1)} ms, ${term === after ? "no" : "a"} change of term`
    );
  } finally {
    await cluster.dispose();
  }
}

console.log(describeMachine());
for (const kind of values.servers.split(",")) console.log(await run(kind as ServerKind));
