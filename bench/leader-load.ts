/**
 * `npm run leader-load -- [--minutes 10] [--keys 1000000] [--rate 2000] [--heap MB] [--server etcd35]`:
 * three members; at the leader one client lists all keys, a second saves snapshots and a third
 * defragments and hashes, each in a loop, beside puts at a fixed rate. Exits 1 if a put failed, the
 * term changed, or the 99th percentile of the puts is above 50 ms. Latencies count from the time at
 * which a put was due.
 */
import { parseArgs } from "node:util";
import { complete } from "../src/cli/ctl/method.js";
import {
  DefragmentRequest,
  HashKVRequest,
  PutRequest,
  RangeRequest,
  SnapshotRequest,
} from "../src/wire/gen/rpc.js";
import { Cluster, type ClusterMember } from "../test/support/cluster.js";
import type { ServerKind } from "../test/support/server-kind.js";
import { Caller } from "./large/caller.js";
import { fill, keyOf } from "./large/requests.js";
import { GrpcConnection } from "./load/grpc-connection.js";
import { percentile } from "./load/latencies.js";
import { describeMachine } from "./record/machine.js";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    keys: { type: "string", default: "1000000" },
    rate: { type: "string", default: "2000" },
    heap: { type: "string" },
    server: { type: "string", default: "lockstep" },
  },
});
const keys = Number(values.keys);
const perSecond = Number(values.rate);
const untilMs = (sinceMs: number): number => sinceMs + Number(values.minutes) * 60_000;
const p99GoalMs = 50;
const connectionCount = 20;
const reportEveryMs = 10_000;
const maintenance = "/etcdserverpb.Maintenance";
const everything = { key: Buffer.of(0), range_end: Buffer.of(0) };

interface Loop {
  readonly name: string;
  readonly calls: readonly { readonly path: string; readonly message: Uint8Array }[];
}

const loops: readonly Loop[] = [
  {
    name: "lists",
    calls: [
      {
        path: "/etcdserverpb.KV/Range",
        message: RangeRequest.encode(complete(RangeRequest, everything)).finish(),
      },
    ],
  },
  {
    name: "snapshots",
    calls: [{ path: `${maintenance}/Snapshot`, message: SnapshotRequest.encode({}).finish() }],
  },
  {
    name: "defragmentations and hashes",
    calls: [
      { path: `${maintenance}/Defragment`, message: DefragmentRequest.encode({}).finish() },
      {
        path: `${maintenance}/HashKV`,
        message: HashKVRequest.encode(complete(HashKVRequest, {})).finish(),
      },
    ],
  },
];

/** Calls over and over until `isOver`. Returns how many ended well, and what the others were told. */
async function runLoop(
  { calls }: Loop,
  { caller, endpoint }: { readonly caller: Caller; readonly endpoint: string },
  isOver: () => boolean,
): Promise<{ readonly done: number; readonly failed: ReadonlyMap<string, number> }> {
  const failed = new Map<string, number>();
  let done = 0;
  try {
    for (let turn = 0; !isOver(); turn++) {
      const { path, message } = calls[turn % calls.length] as Loop["calls"][number];
      const job = { endpoint, path, message: Buffer.from(message).toString("base64"), copies: 1 };
      try {
        await caller.call(job);
        done++;
      } catch (error) {
        const text = (error as Error).message;
        failed.set(text, (failed.get(text) ?? 0) + 1);
        // A member that refuses at once would be asked in a tight loop.
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  } finally {
    caller.stop();
  }
  return { done, failed };
}

class Puts {
  failed = 0;
  /** What the failed ones were told, and how often. */
  readonly reasons = new Map<string, number>();
  readonly waits: number[] = [];
  #sent = 0;
  readonly #connections: readonly GrpcConnection[];
  readonly #startedMs = performance.now();
  readonly #timer: NodeJS.Timeout;
  #toldMs = this.#startedMs;
  #told = 0;

  constructor(connections: readonly GrpcConnection[]) {
    this.#connections = connections;
    for (const connection of connections) {
      connection.onRefused((reason) =>
        this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + 1),
      );
    }
    this.#timer = setInterval(() => this.#send(), 1);
  }

  /** Waits for the answers of all puts. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    while (this.waits.length + this.failed < this.#sent) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  #send(): void {
    const nowMs = performance.now();
    for (;;) {
      const dueMs = this.#startedMs + (this.#sent * 1_000) / perSecond;
      if (dueMs > nowMs) break;
      const at = this.#sent++;
      const put = { key: keyOf(at % keys), value: Buffer.alloc(256, `${at} `) };
      const message = PutRequest.encode(complete(PutRequest, put)).finish();
      const connection = this.#connections[at % this.#connections.length] as GrpcConnection;
      connection.call("/etcdserverpb.KV/Put", message, (answer) => {
        if (answer === undefined) this.failed++;
        else this.waits.push(performance.now() - dueMs);
      });
    }
    if (nowMs - this.#toldMs < reportEveryMs) return;
    const [p50, p99, longest] = figures(this.waits.slice(this.#told));
    console.log(
      `${Math.round((nowMs - this.#startedMs) / 1_000)} s: p50 ${p50} p99 ${p99} longest ${longest} ms, ${this.failed} failed`,
    );
    this.#toldMs = nowMs;
    this.#told = this.waits.length;
  }
}

function figures(waits: number[]): readonly [string, string, string] {
  const sorted = Float64Array.from(waits).sort();
  const ms = (of: number): string => of.toFixed(1);
  return [ms(percentile(sorted, 0.5)), ms(percentile(sorted, 0.99)), ms(sorted.at(-1) ?? 0)];
}

async function termOf({ client }: ClusterMember): Promise<bigint> {
  return (await client.status({})).header?.raft_term ?? 0n;
}

console.log(describeMachine());
const heap =
  values.heap === undefined ? {} : { NODE_OPTIONS: `--max-old-space-size=${values.heap}` };
const cluster = await Cluster.start({
  ...{ kind: values.server as ServerKind, size: 3, env: heap },
  flags: ["--quota-backend-bytes=17179869184"],
});
try {
  const leader = await cluster.leader();
  await fill(leader, keys);
  const term = await termOf(leader);
  const connections = await Promise.all(
    Array.from({ length: connectionCount }, () => GrpcConnection.open(leader.endpoint)),
  );
  // Three processes that start would take the processors from the members while puts run already.
  const callers = loops.map(() => new Caller());
  await Promise.all(callers.map(({ ready }) => ready));
  let isOver = false;
  const running = loops.map((loop, at) => {
    const by = { caller: callers[at] as Caller, endpoint: leader.endpoint };
    return runLoop(loop, by, () => isOver);
  });
  const puts = new Puts(connections);
  const endMs = untilMs(performance.now());
  while (performance.now() < endMs) await new Promise((resolve) => setTimeout(resolve, 200));
  isOver = true;
  await puts.stop();
  for (const [at, { name }] of loops.entries()) {
    const { done, failed } = (await running[at]) ?? { done: 0, failed: new Map() };
    const refusals = [...failed].map(([text, count]) => `${count} x ${text}`).join("; ");
    console.log(`${done} ${name}${refusals === "" ? "" : `; failed: ${refusals}`}`);
  }
  const after = await termOf(leader);
  const [p50, p99, longest] = figures(puts.waits);
  const peak = cluster.members.map((m) => Math.round(m.process.memory().peakBytes / 2 ** 20));
  console.log(
    `${puts.waits.length} puts, ${puts.failed} failed; p50 ${p50} p99 ${p99} longest ${longest} ms; ` +
      `term ${term} to ${after}; peak memory ${peak.join(", ")} MiB`,
  );
  const told = [...puts.reasons].map(([reason, count]) => `${count} x ${reason}`);
  if (puts.failed > 0) console.log(`failed puts: ${told.join("; ") || "no answer"}`);
  for (const connection of connections) connection.close();
  const isGood = puts.failed === 0 && after === term && Number(p99) <= p99GoalMs;
  console.log(isGood ? "all goals are met" : "a goal is missed");
  process.exitCode = isGood ? 0 : 1;
} finally {
  await cluster.dispose();
}
