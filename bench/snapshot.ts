/**
 * `npm run snapshot-load -- [--size 1024] [--value 4096] [--repeat 3] [--server etcd35]`: one member with so
 * many MiB of values; a client streams snapshots beside a probe of 100 small linearizable reads a second.
 * Tells the probe's waits and how much memory of its own (without the pages of its files) the member
 * needed more than before. Exits 1 if the 99th percentile is 50 ms or more, or the memory above 64 MiB.
 */
import { parseArgs } from "node:util";
import { SnapshotRequest } from "../src/wire/gen/rpc.js";
import { Cluster, type ClusterMember } from "../test/support/cluster.js";
import type { ServerKind } from "../test/support/server-kind.js";
import { Caller } from "./large/caller.js";
import { Probe } from "./large/probe.js";
import { fill, keyOf } from "./large/requests.js";
import { describeMachine } from "./record/machine.js";

const { values } = parseArgs({
  options: {
    size: { type: "string", default: "1024" },
    value: { type: "string", default: "4096" },
    repeat: { type: "string", default: "3" },
    server: { type: "string", default: "lockstep" },
  },
});
const p99GoalMs = 50;
const memoryGoalMiB = 64;
const probePaceMs = 10;
const sampleMs = 20;
/** The probe alone, before each stream: the waits of a machine that has other work. */
const aloneMs = 3_000;
const mebibyte = 2 ** 20;
const valueBytes = Number(values.value);

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const ms = (of: number): string => of.toFixed(1);

interface Figures {
  readonly isGood: boolean;
  readonly text: string;
}

async function streamOnce(member: ClusterMember, caller: Caller): Promise<Figures> {
  const probe = await Probe.open(member.endpoint, keyOf(0), probePaceMs);
  probe.start();
  await pause(aloneMs);
  const alone = await probe.stop();
  const ownBytes = (): number => member.process.memory().anonBytes;
  const before = ownBytes();
  let most = before;
  const sampler = setInterval(() => {
    most = Math.max(most, ownBytes());
  }, sampleMs);
  const cpuBefore = member.process.cpuSeconds();
  const startedMs = performance.now();
  probe.start();
  const message = Buffer.from(SnapshotRequest.encode({}).finish()).toString("base64");
  const path = "/etcdserverpb.Maintenance/Snapshot";
  const [answer] = await caller.call({ endpoint: member.endpoint, path, message, copies: 1 });
  const tookMs = performance.now() - startedMs;
  const waits = await probe.stop();
  clearInterval(sampler);
  probe.close();
  const extraMiB = (most - before) / mebibyte;
  const cpu = member.process.cpuSeconds() - cpuBefore;
  return {
    isGood: waits.p99Ms < p99GoalMs && extraMiB <= memoryGoalMiB,
    text: [
      `${((answer?.bytes ?? 0) / mebibyte).toFixed(0)} MiB in ${ms(tookMs / 1_000)} s`,
      `${ms(cpu)} s of processor`,
      `probe p99 ${ms(waits.p99Ms)} longest ${ms(waits.longestMs)} ms of ${waits.count} reads`,
      `alone p99 ${ms(alone.p99Ms)} longest ${ms(alone.longestMs)} ms`,
      `own memory ${(before / mebibyte).toFixed(0)} MiB before, ${extraMiB.toFixed(0)} MiB more at most`,
    ].join("; "),
  };
}

console.log(describeMachine());
const flags = ["--quota-backend-bytes=17179869184"];
const cluster = await Cluster.start({ kind: values.server as ServerKind, flags });
const caller = new Caller();
try {
  const { first } = cluster;
  await fill(first, Math.ceil((Number(values.size) * mebibyte) / valueBytes), valueBytes);
  // What the loading left in the heap is not the stream's.
  await first.restart();
  await first.client.reconnected();
  let isGood = true;
  for (let turn = 1; turn <= Number(values.repeat); turn++) {
    const told = await streamOnce(first, caller);
    console.log(`${turn}: ${told.text}`);
    isGood &&= told.isGood;
  }
  console.log(isGood ? "all goals are met" : "a goal is missed");
  process.exitCode = isGood ? 0 : 1;
} finally {
  caller.stop();
  await cluster.dispose();
}
